#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/plan/token_time.h"

// The planner's forecasts beside speeds that others measured and published: presets/claims/published.json.
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
  double published = 0;  // tok/s; 0: the claim is not a speed
  std::string why;
};

struct Claims {
  std::vector<Claim> covered;
  std::vector<UncoveredClaim> not_covered;

  // Counts the covered claims whose error is at most `tolerance` (0.2 means 20 %) in either direction.
  size_t within(double tolerance) const;
};

Result<Claims> check_claims(const std::string& directory = {});

}  // namespace spillway
