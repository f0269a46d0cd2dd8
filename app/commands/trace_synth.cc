#include <fmt/core.h>

#include "app/cli/interruptible.h"
#include "app/commands/trace_commands.h"
#include "traces/import/header.h"
#include "traces/reader.h"
#include "traces/synth.h"

namespace spillway {
namespace {

struct SynthArguments {
  std::string like;
  ModelOptions model;
  uint64_t tokens = 256;
  uint32_t prefill_tokens = 0;
  double skew = 0.8;
  double reuse = 0.35;
  uint64_t seed = 1;
  OutputOptions output;
};

struct SynthPlan {
  TraceHeader header;
  RouterModel model;
};

Result<ModelGeometry> geometry_from(const ModelOptions& model_options) {
  Result<ImportOptions> given = model_options.resolve();
  if (!given) {
    return propagate(given);
  }
  ModelGeometry geometry;
  if (!given->layers || !given->experts_per_layer || given->expert_bytes.empty() ||
      !(given->used_top_k || given->native_top_k)) {
    return wrong_usage(
        "the model is not fully described; give --like TRACE, --model PRESET, or all of --layers N, "
        "--experts N, --top-k N and --expert-bytes SIZE");
  }
  geometry.layers = *given->layers;
  geometry.experts_per_layer = *given->experts_per_layer;
  geometry.used_top_k = given->used_top_k ? *given->used_top_k : *given->native_top_k;
  geometry.top_k = given->native_top_k ? *given->native_top_k : *given->used_top_k;
  Result<std::vector<uint64_t>> bytes = expert_bytes_per_layer("--model", *given, ToldBytes(geometry.layers));
  if (!bytes) {
    return propagate(bytes);
  }
  geometry.expert_bytes = std::move(*bytes);
  if (Result<void> valid = geometry.validate(); !valid) {
    return wrong_usage("{}", valid.error().message);
  }
  return geometry;
}

Result<SynthPlan> plan_from_options(const SynthArguments& arguments) {
  Result<ModelGeometry> geometry = geometry_from(arguments.model);
  if (!geometry) {
    return propagate(geometry);
  }
  Result<RouterModel> model = make_router_model(*geometry, arguments.skew, arguments.reuse, arguments.seed);
  if (!model) {
    return propagate(model);
  }
  SynthPlan plan{{}, std::move(*model)};
  plan.header.geometry = std::move(*geometry);
  plan.header.model = arguments.model.preset;
  plan.header.provenance = {{"format", "synthetic"},
                            {"skew", fmt::format("{}", arguments.skew)},
                            {"reuse", fmt::format("{}", arguments.reuse)}};
  return plan;
}

Result<SynthPlan> plan_like(const std::string& path) {
  Result<std::unique_ptr<TraceReader>> reader = TraceReader::open(path, TraceColumns{});
  if (!reader) {
    return propagate(reader);
  }
  const ModelGeometry& geometry = (*reader)->header().geometry;
  StatsCollector observed(geometry);
  Interruptible steps(**reader, fmt::format("reading {}", path));
  if (Result<void> read = observed.observe_all(steps); !read) {
    return propagate(read);
  }
  Result<RouterModel> model = fit_router_model(geometry, observed);
  if (!model) {
    return failed("{}: {}", path, model.error().message);
  }
  SynthPlan plan{{}, std::move(*model)};
  plan.header.geometry = geometry;
  plan.header.model = (*reader)->header().model;
  plan.header.provenance = {{"format", "synthetic"}, {"fitted_to", path}};
  return plan;
}

Result<void> run_synth(const SynthArguments& arguments, const std::string& command_line) {
  if (Result<void> other = arguments.output.check_binary(); !other) {
    return other;
  }
  Result<SynthPlan> plan = arguments.like.empty() ? plan_from_options(arguments) : plan_like(arguments.like);
  if (!plan) {
    return propagate(plan);
  }
  plan->header.provenance.emplace_back("command", command_line);
  plan->header.seeds = {{"synth", arguments.seed}};
  Result<std::unique_ptr<TraceWriter>> writer = create_trace(arguments.output, plan->header);
  if (!writer) {
    return propagate(writer);
  }
  SynthSource source(plan->header.geometry, std::move(plan->model), arguments.prefill_tokens,
                     arguments.tokens, arguments.seed);
  {
    Progress progress("making up", arguments.tokens, Progress::Unit::tokens);
    if (Result<void> copied = copy_steps(source, **writer, &progress); !copied) {
      return copied;
    }
  }
  return finish_trace(**writer, arguments.output);
}

}  // namespace

void add_trace_synth(Command trace, Invocation& invocation) {
  Command command = trace.subcommand("synth", "Make up a trace, from figures or like a real trace");
  auto arguments = std::make_shared<SynthArguments>();
  Option like = command.text("--like", arguments->like,
                             "Fit popularity per layer and reuse at each distance to this trace");
  like.type_name("TRACE");
  for (Option& option : arguments->model.declare(command)) {
    option.excludes(like);
  }
  command.count("--tokens", {.least = 1}, arguments->tokens, "Number of decode tokens (default 256)");
  command.count("--prefill", {.least = 0, .most = 1U << 16}, arguments->prefill_tokens,
                "Tokens of one prefill pass before the decode tokens (default 0)");
  command
      .real("--skew", {0, 5}, arguments->skew, "Exponent of the Zipf popularity in each layer (default 0.8)")
      .excludes(like)
      .type_name("S");
  command
      .real("--reuse", {0, 1}, arguments->reuse,
            "Share of a token's experts that the token before used too (default 0.35)")
      .excludes(like)
      .type_name("R");
  command.count("--seed", {}, arguments->seed,
                "Seed of the random choices: the same seed makes the same trace (default 1)");
  arguments->output.declare(command);
  command.footer(
      "Examples:\n"
      "  spillway trace synth --model qwen3-30b-a3b --tokens 512 --skew 0.9 --reuse 0.37 -o synth.bin\n"
      "  spillway trace synth --like qwen.bin --tokens 4096 -o long.bin");
  command.runs(invocation,
               [arguments, &invocation] { return run_synth(*arguments, invocation.command_line); });
}

}  // namespace spillway
