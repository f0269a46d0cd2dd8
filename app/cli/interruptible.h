#pragma once

#include <string>
#include <utility>

#include "app/cli/cli.h"
#include "core/ports.h"

namespace spillway {

// Passes on the steps of `inner`, which must outlive it, until Ctrl-C. A long walk through the steps then
// ends with the error that `what` was interrupted.
class Interruptible final : public StepSource {
 public:
  Interruptible(StepSource& inner, std::string what) : inner_(inner), what_(std::move(what)) {}

  const SourceInfo& info() const override { return inner_.info(); }

  Result<bool> next(Step& step) override {
    if (interrupted()) {
      return failed("{} was interrupted", what_);
    }
    return inner_.next(step);
  }

 private:
  StepSource& inner_;
  std::string what_;
};

}  // namespace spillway
