#pragma once

#include <string>
#include <vector>

#include "app/page/html.h"
#include "app/page/results.h"

// How a page writes figures.
namespace spillway::page {

std::string tok_per_s_text(double value);  // `16.9`
std::string percent_text(double share);    // `78.7 %`
std::string signed_ms(double seconds);     // `+19.25 ms`
Cell number(std::string text);

// Writes an amount of memory such as `48 GB`. Memory is sold in powers of two under decimal names.
std::string memory_text(uint64_t bytes);

// Puts the figure `svg` into the section, or the reason why there is no figure.
void place_figure(Result<std::string> svg, std::string caption, Section& section);

// Returns the name of a file without its folder: `gap.json`.
std::string file_name(const std::string& path);

// Describes the settings of a run in the words of the command line: `4.00 GB, lru, uring`.
std::string setting_of(const RunResult& run);

// Returns true if the run has a policy or a prefetcher that knows the future. Its speed is then a bound that
// no real run can reach.
bool knows_the_future(const RunResult& run);

// Returns warnings about a run: that it was interrupted, not cold or disturbed, and the run's own warnings.
std::vector<std::string> cautions_of(const RunResult& run);

// Returns lines with the machines, storage, versions and dates. A line that several runs share appears once.
std::vector<std::string> facts_of(const std::vector<const Origin*>& origins);

// Returns a line that says what the results were measured on, or that a drive was simulated, and the days.
std::string source_of(const std::vector<const Origin*>& origins, bool simulated);

// Returns every command once, in order.
std::vector<std::string> commands_of(const std::vector<const Origin*>& origins);

}  // namespace spillway::page
