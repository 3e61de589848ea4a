// Tokens that distinguish one acquisition of a lease from every other: random UUIDs, by libuuid.
#pragma once

namespace idgen::io {

void MakeToken(char (&text)[37]) noexcept;

}  // namespace idgen::io
