#include "app/curve/curve.h"

#include <fmt/format.h>

#include <cstdio>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/report/report.h"
#include "core/json.h"
#include "policies/list.h"

namespace spillway {
namespace {

constexpr const char* kUsualPolicies = "lru,lfu,belady";

// Checks all policies before any of them runs: the last might otherwise be refused after minutes.
Result<std::vector<EvictionChoice>> parse_policies(const std::string& text) {
  std::vector<EvictionChoice> policies;
  for (const std::string& one : split_list(text)) {
    Result<EvictionChoice> policy = eviction_policies().choose(one);
    if (!policy) {
      return propagate(policy);
    }
    policies.push_back(std::move(*policy));
  }
  if (policies.empty()) {
    return wrong_usage("'{}' names no policy", text);
  }
  return policies;
}

struct CurveOptions {
  std::string trace;
  std::vector<EvictionChoice> policies = *parse_policies(kUsualPolicies);
  std::string sizes;
  std::optional<uint64_t> tokens;
  uint64_t seed = 1;
  std::string semantics = "step";
  std::optional<uint64_t> points;
  std::string json;

  CacheSemantics cache_semantics() const {
    return semantics == "request" ? CacheSemantics::request : CacheSemantics::step;
  }
};

// Returns the sizes in the command line, or none if it names none.
Result<std::vector<uint64_t>> parse_sizes(const CurveOptions& options, const ModelGeometry& geometry) {
  std::vector<uint64_t> sizes;
  for (const std::string& text : split_list(options.sizes)) {
    const Result<Bytes> size = parse_bytes(text);
    if (!size) {
      return wrong_usage("--cache: {}", size.error().message);
    }
    const uint64_t least = least_cache_bytes(geometry, options.cache_semantics());
    if (size->count < least) {
      return wrong_usage("--cache {}: one {} needs {}; give at least that much", text, options.semantics,
                         format_bytes(least));
    }
    sizes.push_back(size->count);
  }
  if (sizes.empty() && !options.sizes.empty()) {
    return wrong_usage("--cache '{}' names no size", options.sizes);
  }
  return sizes;
}

Result<void> run_curve(const CurveOptions& options) {
  if (Result<void> writable = check_json_path(options.json, options.trace); !writable) {
    return writable;
  }
  Result<OpenTrace> trace = open_trace(options.trace, options.tokens);
  if (!trace) {
    return propagate(trace);
  }
  if (!trace->truncation.empty()) {
    note("spillway: {}: the trace is incomplete: {}\n", printable(options.trace),
         printable(trace->truncation));
  }
  Result<std::vector<uint64_t>> sizes = parse_sizes(options, trace->header.geometry);
  if (!sizes) {
    return propagate(sizes);
  }
  Result<CurveStudy> study =
      study_curve(*trace, {options.cache_semantics(), options.policies, std::move(*sizes), options.seed});
  if (!study) {
    return propagate(study);
  }
  Result<void> written;
  if (!options.json.empty()) {
    written = write_json(to_json(*study, options.points), options.json);
  }
  if (options.json != "-") {
    fmt::print("{}", to_table(*study));
  }
  if (written && !study->complete()) {
    return failed("interrupted after {} of {} points; the output holds these", study->points.size(),
                  study->policies.size() * study->sizes.size());
  }
  return written;
}

}  // namespace

void add_curve_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<CurveOptions>();
  Command command = app.subcommand("curve", "Show hit ratios at every cache size, and why a cache misses");
  command.footer("Example:\n  spillway curve trace.bin --policy lru,lfu,belady --cache 1GB,2GB,4GB --json -");
  command.text("trace", options->trace, "A trace file").required().type_name("TRACE");
  const auto read_policies = [options](const std::string& text) -> Result<void> {
    Result<std::vector<EvictionChoice>> policies = parse_policies(text);
    if (!policies) {
      return propagate(policies);
    }
    options->policies = std::move(*policies);
    return {};
  };
  command.parsed("--policy", kUsualPolicies, read_policies, "Eviction policies, comma-separated")
      .show_default()
      .type_name("POLICIES");
  command.text(
      "--cache", options->sizes,
      "Cache sizes, comma-separated (default: doubling up to all experts, one token cycle, the knee)");
  command.count("--tokens", {.least = 1}, options->tokens, "Use only the first N decode tokens");
  command
      .text("--semantics", options->semantics,
            "How experts are looked up; step: a step's experts together, and held, as the pager does;\n"
            "request: each expert as a request of its own, as in the literature")
      .one_of({"step", "request"})
      .show_default();
  command.count(
      "--points", {.least = 2}, options->points,
      "Write at most N points of the LRU curve to the JSON (default: every size at which it changes)");
  command.count("--seed", {}, options->seed, "Seed of random policies").show_default();
  command
      .output("--json", options->json,
              "Write the points as JSON to this file; - writes them to stdout instead of the table")
      .type_name("FILE");
  command.runs(invocation, [options] { return run_curve(*options); });
}

}  // namespace spillway
