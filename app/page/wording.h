#pragma once

#include <string>
#include <vector>

#include "app/page/html.h"
#include "app/page/results.h"

// How a page says figures.
namespace spillway::page {

std::string tok_per_s_text(double value);  // `16.9`
std::string percent_text(double share);    // `78.7 %`
std::string signed_ms(double seconds);     // `+19.25 ms`
Cell number(std::string text);

// `48 GB`: memory is sold in powers of two under decimal names.
std::string memory_text(uint64_t bytes);

// Puts `svg` into the section, or why there is none.
void place_figure(Result<std::string> svg, std::string caption, Section& section);

// `gap.json`
std::string file_name(const std::string& path);

// What a run was made with, in the words of the command line: `lru, 4.00 GB, uring`.
std::string setting_of(const RunResult& run);

// Whether it was made with a policy or a prefetcher that knows the future: a bound, and nothing to be had.
bool knows_the_future(const RunResult& run);

// What a reader must know of a run: that it was cut short, not cold or disturbed, or what it warns of itself.
std::vector<std::string> cautions_of(const RunResult& run);

// Machine, storage, date and version, a line each; once, where several runs share them.
std::vector<std::string> facts_of(const std::vector<const Origin*>& origins);

// Every command once, in order.
std::vector<std::string> commands_of(const std::vector<const Origin*>& origins);

}  // namespace spillway::page
