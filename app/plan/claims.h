#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/plan/token_time.h"

// The planner beside what others measured: presets/claims/published.json.
namespace spillway {

struct Claim {
  std::string system;
  std::string what;
  double published = 0;  // tok/s
  std::string note;
  plan::Decode inputs;
  plan::Forecast forecast;

  double error() const { return forecast.central / published - 1; }
  bool within_interval() const { return forecast.low <= published && published <= forecast.high; }
};

struct UncoveredClaim {
  std::string system;
  std::string what;
  double published = 0;  // tok/s; 0: it is no speed
  std::string why;
};

struct Claims {
  std::vector<Claim> covered;
  std::vector<UncoveredClaim> not_covered;

  // Of the covered ones, those whose error is at most `tolerance` (0.2) either way.
  size_t within(double tolerance) const;
};

Result<Claims> check_claims(const std::string& directory = {});

}  // namespace spillway
