// Reduces the faults of a run to those that a violation needs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

namespace idgen::sim {

// Removes faults, in halves, quarters and so on, until the run no longer fails without any one of those left.
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
