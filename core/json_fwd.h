#pragma once

#include <nlohmann/json_fwd.hpp>

// JSON as all of Spillway reads and writes it: keys stay in the order they were written in. One type, because
// each costs the compiler seconds.
namespace spillway {

using Json = nlohmann::ordered_json;

}  // namespace spillway
