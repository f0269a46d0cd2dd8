#include "app/sweep/sweep_stores.h"

#include <fmt/core.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/shell_line.h"
#include "core/units.h"
#ifdef SPILLWAY_STORAGE
#include "stores/store_use.h"
#endif

namespace spillway {
namespace {

struct Sum {
  uint64_t removed = 0;
  uint64_t kept = 0;
};

#ifdef SPILLWAY_STORAGE
Sum remove_stores(const std::string& directory, bool keep) {
  Sum sum;
  for (const ScratchFile& store : list_scratch_files(directory).value_or(std::vector<ScratchFile>())) {
    const bool removed = !keep && remove_scratch_file(store).value_or(false);
    (removed ? sum.removed : sum.kept) += store.bytes;
  }
  return sum;
}
#else
Sum remove_stores(const std::string&, bool) {
  return {};  // this build makes no stores
}
#endif

}  // namespace

void SweepStores::tell() {
  if (!told_) {
    note("spillway: runs make their stores in {}; {}\n", printable(directory_),
         keep_ ? "they are kept" : "they are removed at the end (--keep-stores keeps them)");
  }
  told_ = true;
}

void SweepStores::clean() {
  const Sum sum = remove_stores(directory_, keep_);
  std::error_code ignored;
  std::filesystem::remove(directory_, ignored);  // fails unless it is empty
  if (sum.removed > 0) {
    note("spillway: removed {} of stores from {}\n", format_bytes(sum.removed), printable(directory_));
  }
  if (sum.kept > 0) {
    const std::vector<std::string> words = {"spillway", "cache", "clean", "--dir", directory_};
    note("spillway: {} of stores are kept in {}; to remove them: {}\n", format_bytes(sum.kept),
         printable(directory_), shell_line(words));
  }
}

}  // namespace spillway
