// The fewest faults that still show what was found.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace idgen::sim {

// Takes faults out, in halves, quarters and so on, until what is left no longer fails without any one of them.
template <class Fault, class Fails>
std::vector<Fault> Shrink(std::vector<Fault> faults, const Fails& fails) {
  for (size_t size = std::max<size_t>(faults.size() / 2, 1);; size = std::max<size_t>(size / 2, 1)) {
    bool taken = false;
    for (size_t begin = 0; begin < faults.size();) {
      std::vector<Fault> fewer(faults.begin(), faults.begin() + static_cast<long>(begin));
      const size_t end = std::min(begin + size, faults.size());
      fewer.insert(fewer.end(), faults.begin() + static_cast<long>(end), faults.end());
      if (fails(fewer)) {
        faults = fewer;
        taken = true;
      } else {
        begin += size;
      }
    }
    if (size == 1 && !taken) return faults;
  }
}

}  // namespace idgen::sim
