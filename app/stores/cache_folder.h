#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "core/json_fwd.h"
#include "core/result.h"
#include "stores/store_use.h"

// The stores that Spillway keeps in a folder, as `spillway cache` lists and removes them.
namespace spillway {

struct CacheFolder {
  std::string directory;
  std::vector<ScratchFile> stores;

  uint64_t bytes() const;  // of all stores
};

// Returns the stores in `directory`, or in the default cache folder if it is empty.
Result<CacheFolder> open_cache_folder(const std::string& directory);

// Returns the name of a store on the command line: that of its file, without the ending.
std::string name_of(const ScratchFile& store);

// Parses an age such as 90min, 12h, 7d or 2w. Returns seconds.
Result<std::time_t> parse_age(const std::string& text);

// Returns the stores of the folder with one of these names, or all if `names` is empty, that were last used
// before `before`. A name that the folder lacks is an error.
Result<std::vector<ScratchFile>> choose_stores(const CacheFolder& folder,
                                               const std::vector<std::string>& names, std::time_t before);

// Returns the folder as a table for people, and as spillway.cache/1.
std::string to_table(const CacheFolder& folder);
Json to_json(const CacheFolder& folder);

}  // namespace spillway
