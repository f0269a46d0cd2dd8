#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace spillway::page {

// Has the scripts of plots/ draw figures: in a process of their own, since they are Python and this is not.
// Without Python, matplotlib or the scripts every figure is an error, and a page has its tables all the same.
class FigureMaker {
 public:
  // Looks for the scripts where `directory` says if it is not empty, in $SPILLWAY_PLOTS, and among what is
  // installed with the program.
  explicit FigureMaker(const std::string& directory);

  // The SVG that `script` (as in "latency_cdf") makes of `inputs`. Fails with what it said on stderr.
  Result<std::string> draw(const std::string& script, const std::vector<std::string>& inputs,
                           const std::vector<std::string>& options = {});

 private:
  Result<std::string> draw_with(const std::string& python, std::vector<std::string> words);

  std::string directory_;             // empty: not found
  std::vector<std::string> pythons_;  // to try, in order; those that cannot draw are gone
  std::string refusal_;               // of the last of them
};

}  // namespace spillway::page
