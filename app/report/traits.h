#pragma once

#include "core/json_fwd.h"
#include "core/traits.h"

// Policies' traits in documents: with them, no reader of results has to know a policy by its name.
namespace spillway {

struct PolicyTraits {
  Traits evict;
  Traits prefetch;
};

// Writes the traits that a reader of results can need: does_nothing, is_random and knows_future.
Json to_json(const Traits& traits);
Json to_json(const PolicyTraits& traits);

// Reads the traits of a spillway.report/1, and of a point of a spillway.curve/1. Older documents have no
// traits, so the policies that they name are asked. A value of a wrong type counts as absent.
PolicyTraits traits_of_report(const Json& report);
Traits traits_of_curve_point(const Json& point);

}  // namespace spillway
