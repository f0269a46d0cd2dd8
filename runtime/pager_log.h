#pragma once

#include <variant>
#include <vector>

#include "core/ports.h"

namespace spillway {

// One input of a pager. The steps and these calls, in order, determine all of its decisions.
struct PagerCall {
  enum class Kind : uint8_t { start_prefetch, arrived, failed, used, end, finish };
  Kind kind{};
  ExpertId expert{};
};

// One entry of the log; a Step stands for begin(), a HintList for hint().
using PagerInput = std::variant<Step, HintList, PagerCall>;
using PagerLog = std::vector<PagerInput>;

class Pager;

// Repeats the logged calls on `pager`, which must be fresh. With the same policy and limits it makes
// the same decisions.
void retell(const PagerLog& log, Pager& pager);

}  // namespace spillway
