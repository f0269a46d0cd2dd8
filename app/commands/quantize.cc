#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/pack/quantize_file.h"
#include "app/pack/quantize_table.h"
#include "app/report/report.h"
#include "app/run/open_store.h"
#include "core/json.h"
#include "host/file.h"
#ifdef SPILLWAY_STORAGE
#include "host/linux/cpu_share.h"
#else
#include <thread>
#endif

namespace spillway {
namespace {

struct QuantizeArguments {
  std::string input;
  std::string output;
  std::string rule;
  bool force = false;
  uint32_t threads = 0;  // 0: as many as can run at the same time
  std::string json;
};

uint32_t usual_threads() {
#ifdef SPILLWAY_STORAGE
  return usable_threads();
#else
  return std::max(1U, std::thread::hardware_concurrency());
#endif
}

Result<void> check_arguments(const QuantizeArguments& arguments, const Gguf& gguf) {
  if (Result<void> file = check_binary_output("output", arguments.output); !file) {
    return file;
  }
  for (const std::string& file : gguf.files()) {
    if (same_file(arguments.output, file)) {
      return wrong_usage("{}: this is an input file; name another file", arguments.output);
    }
    if (same_file(arguments.json, file)) {
      return wrong_usage("--json {}: this is an input file; name another file", arguments.json);
    }
  }
  std::error_code ignored;
  const std::filesystem::file_status there = std::filesystem::status(arguments.output, ignored);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return wrong_usage("{}: is not a regular file, so a model cannot be written to it; name another file",
                       arguments.output);
  }
  return check_json_path(arguments.json);
}

Result<void> run_quantize(const QuantizeArguments& arguments) {
  const Result<BitRule> rule = BitRule::parse(arguments.rule);
  if (!rule) {
    return wrong_usage("--rule {}", rule.error().message);
  }
  Result<OpenGguf> model = open_gguf(arguments.input);
  if (!model) {
    return propagate(model);
  }
  if (Result<void> right = check_arguments(arguments, model->gguf); !right) {
    return right;
  }
  Result<std::vector<WeightChoice>> choices = choose_types(model->gguf, model->geometry.layers, *rule);
  if (!choices) {
    return propagate(choices);
  }
  uint64_t total = 0;
  for (const WeightChoice& choice : *choices) {
    total += choice.tensor->bytes;
  }
  const QuantizePlan plan = {&model->gguf, std::move(*choices), arguments.output, arguments.force,
                             arguments.threads > 0 ? arguments.threads : usual_threads()};
  std::optional<Progress> progress(std::in_place, "quantizing", total, Progress::Unit::bytes);
  Result<QuantizedFile> made = quantize_file(plan, [&](uint64_t done) {
    progress->at(done);
    return !interrupted();
  });
  progress.reset();
  if (!made) {
    return propagate(made);
  }
  const QuantizeTable table = make_table(plan.choices, made->losses);
  for (const std::string& line : describe_shortfalls(table)) {
    note("{}\n", line);
  }
  note("{}: {}\n", printable(arguments.output), format_bytes(made->bytes));
  if (arguments.json != "-") {
    fmt::print("{}", to_table(table));
  }
  return arguments.json.empty()
             ? Result<void>()
             : write_json(to_json(table, model->gguf, arguments.rule, arguments.output, made->bytes),
                          arguments.json);
}

}  // namespace

void add_quantize_command(Command app, Invocation& invocation) {
  auto arguments = std::make_shared<QuantizeArguments>();
  Command command = app.subcommand("quantize", "Write a model with fewer bits per weight, by a rule");
  command.footer(
      "static:LOW,HIGH gives routed experts the low bits. Embeddings, output head, attention, shared\n"
      "experts, and the experts of the first and the last block get the high bits. The router, norms and\n"
      "small tensors stay as they are. Nothing is calibrated.\n"
      "Bits are 2, 3, 4, 5, 6, 8 or 16: Q2_K to Q6_K, Q8_0, F16.\n"
      "Example:\n"
      "  spillway quantize qwen-bf16.gguf qwen-2-4.gguf --rule static:2,4");
  command.text("input", arguments->input, "A GGUF, or the first file of a split one")
      .required()
      .type_name("IN.gguf");
  command.output("output", arguments->output, "The GGUF to write, as a single file")
      .required()
      .type_name("OUT.gguf");
  command.text("--rule", arguments->rule, "The rule that gives each weight its bits: static:LOW,HIGH")
      .required()
      .type_name("RULE");
  command.flag("--force", arguments->force, "Replace the file if it exists");
  command.count("--threads", {.least = 1, .most = 1024}, arguments->threads,
                "Threads to quantize with (default: one for each core that this process may use)");
  command
      .output("--json", arguments->json,
              "Write the table as JSON to this file; - writes it to stdout instead of the table")
      .type_name("FILE");
  command.runs(invocation, [arguments] { return run_quantize(*arguments); });
}

}  // namespace spillway
