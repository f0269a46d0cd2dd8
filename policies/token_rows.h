#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/step.h"

namespace spillway {

// The expert numbers that each token of a step chose, best first. There are no rows for a step of several
// tokens whose source reports only the experts that the tokens use together.
class TokenRows {
 public:
  void assign(const ModelGeometry& geometry, const Step& step) {
    numbers_.clear();
    tokens_ = 0;
    if (!step.choices.empty()) {
      tokens_ = step.tokens;
      numbers_ = step.choices;
    } else if (step.tokens == 1 && !step.experts.empty()) {
      tokens_ = 1;
      for (const ExpertId id : step.experts) {
        numbers_.push_back(uint16_t(geometry.expert_of(id)));
      }
    }
  }

  uint32_t size() const { return tokens_; }
  bool empty() const { return tokens_ == 0; }

  std::span<const uint16_t> operator[](uint32_t token) const {
    const size_t width = numbers_.size() / tokens_;
    return std::span(numbers_).subspan(token * width, width);
  }
  std::span<const uint16_t> front() const { return (*this)[0]; }
  std::span<const uint16_t> back() const { return (*this)[tokens_ - 1]; }

 private:
  uint32_t tokens_ = 0;
  std::vector<uint16_t> numbers_;  // [tokens][experts of each]
};

}  // namespace spillway
