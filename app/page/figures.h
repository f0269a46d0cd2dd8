#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace spillway::page {

// Draws figures with the scripts of plots/, which run in processes of their own since they are Python.
// Without Python, matplotlib or the scripts, every figure is an error; the page still has its tables.
class FigureMaker {
 public:
  // Looks for the scripts in `directory` if it is not empty, then in $SPILLWAY_PLOTS, and then in the folder
  // that is installed with the program.
  explicit FigureMaker(const std::string& directory);

  // Returns the SVG that `script`, such as "latency_cdf", draws from `inputs`. The error is the script's
  // message on stderr.
  Result<std::string> draw(const std::string& script, const std::vector<std::string>& inputs,
                           const std::vector<std::string>& options = {});

 private:
  Result<std::string> draw_with(const std::string& python, std::vector<std::string> words);

  std::string directory_;             // the folder of the scripts; empty: not found
  std::vector<std::string> pythons_;  // interpreters to try, in order; removed if they cannot draw
  std::string refusal_;               // the reason why the last interpreter was removed
};

}  // namespace spillway::page
