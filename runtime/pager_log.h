#pragma once

#include <variant>
#include <vector>

#include "core/ports.h"

namespace spillway {

// What was told to a pager, in order: with the steps this is all that its decisions depend on.
struct PagerCall {
  enum class Kind : uint8_t { start_prefetch, arrived, failed, used, end, finish };
  Kind kind{};
  ExpertId expert{};
};

// A Step stands for begin(), a HintList for hint().
using PagerInput = std::variant<Step, HintList, PagerCall>;
using PagerLog = std::vector<PagerInput>;

class Pager;

// Tells `pager`, which must be fresh, what another one was told. Given the same policy and limits it decides
// the same.
void retell(const PagerLog& log, Pager& pager);

}  // namespace spillway
