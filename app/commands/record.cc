#include "app/cli/cli.h"
#include "app/run/recording.h"
#include "app/run/run.h"
#include "host/file.h"

namespace spillway {
namespace {

// Checks that no output would replace an input or another output.
Result<void> check_outputs(const RecordOptions& options) {
  for (const auto& [flag, path] : {std::pair("-o", options.output), std::pair("--logits", options.logits)}) {
    if (Result<void> file = check_binary_output(flag, path); !file) {
      return file;
    }
  }
  return {};
}

Result<void> check_options(const RecordOptions& options) {
  if (options.no_trace && !options.output.empty()) {
    return wrong_usage(
        "--no-trace cannot be combined with --output, which names the trace to write; leave out one of them");
  }
  if (!options.no_trace && options.output.empty()) {
    return wrong_usage("record: give --output FILE to write the trace to, or --no-trace to write none");
  }
  const bool prompted = !options.prompts.empty() || !options.prompt_files.empty();
  if (prompted == !options.token_ids.empty()) {
    return wrong_usage("record: give either prompts (--prompt, --prompt-file) or --token-ids");
  }
  if (!options.logits.empty() && options.token_ids.empty()) {
    return wrong_usage("--logits: needs --token-ids, the tokens after which the logits are written");
  }
  return check_outputs(options);
}

Result<void> run_record(const RecordOptions& options, const Invocation& invocation) {
  if (Result<void> right = check_options(options); !right) {
    return right;
  }
  // The text goes to stdout, or to stderr if the report goes to stdout.
  Result<Report> report = record(options, invocation, options.cache.json == "-" ? stderr : stdout);
  return report ? print_report(*report, options.cache.json, stderr) : propagate(report);
}

void add_prompt_options(Command command, RecordOptions& options) {
  command.texts("-p,--prompt", options.prompts, "A prompt; several prompts become sequences of one trace")
      .type_name("TEXT");
  command.texts("-f,--prompt-file", options.prompt_files, "A file whose text is a prompt").type_name("FILE");
  command.text("--system", options.system, "System message at the beginning of a chat").type_name("TEXT");
  command.flag("--raw", options.raw,
               "Give prompts to the model as they are; by default they are chat messages\n"
               "if the model was trained to chat");
  command
      .count("-n,--tokens", {.least = 1, .most = 1U << 24}, options.generation.most_tokens,
             "Most tokens to generate for each prompt")
      .show_default();
  command
      .count("--batch", {.least = 1, .most = 1U << 16}, options.generation.batch,
             "Most prompt tokens of one forward pass")
      .show_default();
  command.flag("--ignore-eos", options.generation.ignore_end, "Go on after the end of a reply");
  command.count("--context", {.least = 1, .most = 1U << 24}, options.context,
                "Tokens of a sequence to reserve room for (default: as many as needed)");
  command.text("--token-ids", options.token_ids, "Feed the token numbers in this file instead of prompts")
      .type_name("FILE");
  command
      .output("--logits", options.logits,
              "Write the logits after each of --token-ids, raw f32, one row of the vocabulary per token")
      .type_name("FILE");
}

void add_sampler_options(Command command, SamplerOptions& options) {
  command
      .real("--temperature", {0, 100}, options.temperature,
            "Randomness of the sampling; 0: always the most likely token")
      .show_default();
  command
      .count("--top-k", {.most = 1U << 24}, options.top_k,
             "Sample only from the K most likely tokens; 0: from all")
      .show_default();
  command
      .real("--top-p", {0, 1}, options.top_p,
            "Sample only from the likeliest tokens that reach this probability together")
      .show_default();
  command
      .real("--min-p", {0, 1}, options.min_p,
            "Sample only from tokens at least this likely, relative to the likeliest")
      .show_default();
}

}  // namespace

void add_record_command(Command app, Invocation& invocation) {
  auto options = std::make_shared<RecordOptions>();
  Command command = app.subcommand(
      "record", "Run a model with its experts on the drive, and write which experts each token needed");
  command.footer(
      "The text goes to stdout, everything else to stderr.\n"
      "Examples:\n"
      "  spillway record --model M.gguf --prompt \"Why is the sky blue?\" -n 256 -o trace.bin --cache 8GB\n"
      "  spillway record --model M.gguf -f essay.txt --raw --no-trace --prefetch router:ahead=1\n"
      "  spillway record --model M.gguf --token-ids ids.txt --batch 1 --logits out.f32 --no-trace");
  add_prompt_options(command, *options);
  command.output("-o,--output", options->output, "The trace to write").type_name("FILE");
  command.flag("--force", options->force, "Replace the trace and the logits if they exist");
  command.flag("--no-trace", options->no_trace, "Only generate text, without writing a trace");
  add_live_run_options(command, *options);
  command
      .count("--lookahead", {.most = 1024}, options->lookahead,
             "In each step, also record what the routers of the next N layers would choose\n"
             "from this layer's hidden state")
      .show_default();
  add_sampler_options(command, options->sampler);
  command.runs(invocation, [options, &invocation] { return run_record(*options, invocation); });
}

}  // namespace spillway
