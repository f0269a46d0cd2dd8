#include "app/run/perplexity.h"

#include <fmt/core.h>

#include "app/cli/cli.h"
#include "core/json.h"

namespace spillway {
namespace {

Result<void> run_perplexity(PerplexityOptions options, const Invocation& invocation) {
  if (options.stride == 0) {
    options.stride = options.context;
  }
  if (options.stride > options.context) {
    return wrong_usage("--stride {}: a stride above --context {} would skip tokens; give a smaller stride",
                       options.stride, options.context);
  }
  const Result<Perplexity> measured = measure_perplexity(options, invocation);
  if (!measured) {
    return Unexpected(measured.error());
  }
  if (!options.cache.json.empty()) {
    if (Result<void> written = write_json(to_json(*measured), options.cache.json); !written) {
      return written;
    }
  }
  if (options.cache.json != "-") {
    fmt::print("perplexity {:.4f} ± {:.4f}  ({} tokens of {} windows of {}, {} apart)\n", measured->value,
               measured->standard_error, measured->scored_tokens, measured->windows, options.context,
               options.stride);
  }
  return measured->report.interrupted
             ? Result<void>(
                   failed("interrupted after {} windows; the figure covers these", measured->windows))
             : Result<void>();
}

}  // namespace

void add_perplexity_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<PerplexityOptions>();
  Command command =
      app.subcommand("perplexity", "Measure how much a text surprises a model: the cost of quantizing it");
  command.footer(
      "Counts as llama.cpp does: in windows of --context tokens, the second half of each is scored.\n"
      "Example:\n"
      "  spillway perplexity --model M.gguf --file text.txt --context 512 --cache 8GB");
  command.text("--file", options->file, "The file with the text").required().type_name("FILE");
  command.count("--context", {.least = 4, .most = 1U << 20}, options->context, "Tokens of a window")
      .show_default();
  command.count("--stride", {.least = 1, .most = 1U << 20}, options->stride,
                "Tokens from one window to the next (default: --context)");
  command.count("--batch", {.least = 1, .most = 1U << 16}, options->batch, "Tokens of one forward pass")
      .show_default();
  add_live_run_options(command, *options);
  command.runs(invocation, [options, &invocation] { return run_perplexity(*options, invocation); });
}

}  // namespace spillway
