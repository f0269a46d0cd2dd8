#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/geometry.h"
#include "core/result.h"
#include "stores/scratch_store.h"

// A store is never made silently: a line on stderr says first what is made, where, and how to remove it.
namespace spillway {

// A store that is about to be written.
struct NewStore {
  std::vector<std::string> paths;  // of its files
  uint64_t bytes = 0;              // of all its files
  std::string removal;             // the command line that removes it, or words that say when it is removed
};

// Every line about a new store begins with these words, by which `sweep` finds it among the lines of a run.
inline constexpr const char* kNewStoreLine = "makes a store of ";

// A larger store that the user did not name a place for is made only with the user's consent.
inline constexpr uint64_t kMostUnasked = 4'000'000'000;

// Says how the files of a store are removed: by `spillway cache clean` if they are in the cache folder.
std::string removal_of(const std::vector<std::string>& paths, bool in_cache_folder);

// Returns `makes a store of 1.85 GB: /home/me/.cache/spillway/scratch-….store (ext4 on vda), in about 2 s if
// the drive keeps up the 980 MB/s of a trial write; to remove it: spillway cache clean scratch-…`. Writes a
// little to the drive to measure its speed, and leaves none of it.
std::string describe(const NewStore& store);

struct StoreConsent {
  bool place_named = false;       // the user named the place of the store
  bool yes = false;               // --yes
  std::string command_line = {};  // as typed, for the line that gives consent
};

enum class BeforeMaking { tell, ask, refuse };

// Decides what has to happen before a store of `bytes` is made. `terminal`: somebody can answer a question.
BeforeMaking before_making(uint64_t bytes, const StoreConsent& consent, bool terminal);

// Prints the line about the store.
void tell_new_store(const NewStore& store);

// A scratch store that is wanted, and what is said about it.
struct StoreRequest {
  std::string label;  // of the bar
  const ModelGeometry& geometry;
  const ScratchOptions& scratch;
  StoreConsent consent;
  std::string removal = {};  // as in NewStore; empty: removal_of() its files
};

// Finds or makes the store, and returns its files. Before it is made, the line about it is printed once it is
// known that there is room, and consent is asked for if it takes one. Fails without consent.
Result<std::vector<std::string>> make_announced_store(const StoreRequest& request);

}  // namespace spillway
