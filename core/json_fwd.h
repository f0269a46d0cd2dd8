#pragma once

#include <nlohmann/json_fwd.hpp>

// The one JSON type that all of Spillway reads and writes. Keys stay in the order they were written in. There
// is only one type because each instantiation costs seconds of compile time.
namespace spillway {

using Json = nlohmann::ordered_json;

}  // namespace spillway
