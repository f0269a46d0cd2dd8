#pragma once

#include <nlohmann/json.hpp>

#include "core/json_fwd.h"
