// printf into a string.
#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace idgen::sim {

[[gnu::format(printf, 1, 2)]] inline std::string Format(const char* format, ...) {
  char text[1000];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

}  // namespace idgen::sim
