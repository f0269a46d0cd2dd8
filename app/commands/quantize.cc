#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "app/cli/cli.h"
#include "app/cli/printable.h"
#include "app/cli/progress.h"
#include "app/cli/text_table.h"
#include "app/pack/quantize_file.h"
#include "app/report/report.h"
#include "app/run/open_store.h"
#include "core/json.h"
#include "host/file.h"

namespace spillway {
namespace {

struct QuantizeArguments {
  std::string input;
  std::string output;
  std::string rule;
  bool force = false;
  uint32_t threads = 0;  // 0: as many as there are cores
  std::string json;
};

// The tensors of a group that went the same way.
struct QuantizeRow {
  uint64_t tensors = 0;
  uint64_t values = 0;
  uint64_t bytes_before = 0;
  uint64_t bytes_after = 0;
  QuantizeLoss loss;

  void add(const QuantizeRow& other) {
    tensors += other.tensors;
    values += other.values;
    bytes_before += other.bytes_before;
    bytes_after += other.bytes_after;
    loss.squares += other.loss.squares;
    loss.errors += other.loss.errors;
  }
  double bits_per_weight() const { return values == 0 ? 0 : 8 * double(bytes_after) / double(values); }
  double error() const { return loss.squares > 0 ? std::sqrt(loss.errors / loss.squares) : 0; }
};

// By what they are for, and the types before and after.
using QuantizeKey = std::tuple<WeightGroup, TensorType, TensorType>;

struct QuantizeTable {
  std::map<QuantizeKey, QuantizeRow> rows;
  std::map<Shortfall, QuantizeRow> shortfalls;
  QuantizeRow total;
};

QuantizeTable make_table(const std::vector<WeightChoice>& choices, const std::vector<QuantizeLoss>& losses) {
  QuantizeTable table;
  for (size_t i = 0; i < choices.size(); ++i) {
    const WeightChoice& choice = choices[i];
    const QuantizeRow row = {1, tensor_values(*choice.tensor), choice.tensor->bytes, choice.bytes, losses[i]};
    table.rows[{choice.group, choice.tensor->type, choice.type}].add(row);
    table.total.add(row);
    if (choice.shortfall != Shortfall::none) {
      table.shortfalls[choice.shortfall].add(row);
    }
  }
  return table;
}

std::string_view type_name(TensorType type) {
  return tensor_type_info(type).name;
}

void add_row(TextTable& text, std::string_view what, std::string_view before, std::string_view after,
             const QuantizeRow& row, bool changed) {
  text.row({std::string(what), fmt::format("{}", row.tensors), std::string(before), std::string(after),
            format_bytes(row.bytes_before), format_bytes(row.bytes_after),
            fmt::format("{:.2f}", row.bits_per_weight()),
            changed ? fmt::format("{:.2f} %", 100 * row.error()) : "-"});
}

// Of what was left as it was nobody computes how much it is.
bool all_changed(const QuantizeTable& table) {
  return std::all_of(table.rows.begin(), table.rows.end(), [](const auto& entry) {
    const auto& [group, before, after] = entry.first;
    return before != after;
  });
}

void print_table(const QuantizeTable& table) {
  constexpr auto kRight = TextTable::Align::right;
  TextTable text({{.least = 31, .gap = 0, .wraps = true},
                  {.align = kRight, .least = 7, .gap = 1},
                  {.align = kRight, .least = 7, .gap = 1},
                  {.align = kRight, .least = 7, .gap = 1},
                  {.align = kRight, .least = 10, .gap = 1},
                  {.align = kRight, .least = 10, .gap = 1},
                  {.align = kRight, .least = 11, .gap = 1},
                  {.align = kRight, .least = 9, .gap = 1}});
  text.row({"what", "tensors", "before", "after", "bytes", "bytes", "bits/weight", "RMS error"});
  for (const auto& [key, row] : table.rows) {
    const auto& [group, before, after] = key;
    add_row(text, name_of(group), type_name(before), type_name(after), row, before != after);
  }
  add_row(text, "together", "", "", table.total, all_changed(table));
  fmt::print("{}", text.text());
}

std::string_view key_of(Shortfall shortfall) {
  switch (shortfall) {
    case Shortfall::none:
      break;
    case Shortfall::no_k_type:
      return "no_k_type";
    case Shortfall::no_q4_k:
      return "no_q4_k";
    case Shortfall::no_blocks:
      return "no_blocks";
    case Shortfall::narrow_already:
      return "narrow_already";
  }
  return "";
}

std::string_view reason_for(Shortfall shortfall) {
  switch (shortfall) {
    case Shortfall::none:
      break;
    case Shortfall::no_k_type:
      return "have more bits than were asked for: rows that are no multiple of 256 have no K type";
    case Shortfall::no_q4_k:
      return "are in Q4_0 instead of Q4_K: rows that are no multiple of 256 have no K type";
    case Shortfall::no_blocks:
      return "stay as they are: rows that are no multiple of 32 have no type of so few bits";
    case Shortfall::narrow_already:
      return "have fewer bits than were asked for, and stay as they are: more would bring nothing back";
  }
  return "";
}

double share_of(const QuantizeTable& table, const QuantizeRow& row) {
  return table.total.bytes_after == 0 ? 0 : double(row.bytes_after) / double(table.total.bytes_after);
}

void tell_shortfalls(const QuantizeTable& table) {
  for (const auto& [shortfall, row] : table.shortfalls) {
    fmt::print(stderr, "{} of {} tensors, {:.1f} % of the bytes, {}\n", row.tensors, table.total.tensors,
               100 * share_of(table, row), reason_for(shortfall));
  }
}

Json json_of(const QuantizeRow& row, bool changed) {
  return {{"tensors", row.tensors},
          {"weights", row.values},
          {"bytes_before", row.bytes_before},
          {"bytes_after", row.bytes_after},
          {"bits_per_weight", row.bits_per_weight()},
          {"rms_error_relative", changed ? Json(row.error()) : Json()}};
}

Json to_json(const QuantizeArguments& arguments, const Gguf& gguf, const QuantizeTable& table,
             uint64_t bytes) {
  Json groups = Json::array();
  for (const auto& [key, row] : table.rows) {
    const auto& [group, before, after] = key;
    Json entry = json_of(row, before != after);
    entry["what"] = name_of(group);
    entry["type_before"] = type_name(before);
    entry["type_after"] = type_name(after);
    groups.push_back(std::move(entry));
  }
  Json shortfalls = Json::array();
  for (const auto& [shortfall, row] : table.shortfalls) {
    shortfalls.push_back({{"reason", key_of(shortfall)},
                          {"tensors", row.tensors},
                          {"bytes_after", row.bytes_after},
                          {"share_of_bytes", share_of(table, row)}});
  }
  return {{"schema", "spillway.quantize/1"},
          {"input", gguf.files()},
          {"output", arguments.output},
          {"output_bytes", bytes},
          {"rule", arguments.rule},
          {"groups", groups},
          {"total", json_of(table.total, all_changed(table))},
          {"shortfalls", shortfalls}};
}

Result<void> check_arguments(const QuantizeArguments& arguments, const Gguf& gguf) {
  if (Result<void> file = check_binary_output("output", arguments.output); !file) {
    return file;
  }
  for (const std::string& file : gguf.files()) {
    if (same_file(arguments.output, file)) {
      return wrong_usage("{}: that is what is read; name another file", arguments.output);
    }
    if (same_file(arguments.json, file)) {
      return wrong_usage("--json {}: that is what is read; name another file", arguments.json);
    }
  }
  std::error_code ignored;
  const std::filesystem::file_status there = std::filesystem::status(arguments.output, ignored);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return wrong_usage("{}: no regular file, which a model is written to; name another", arguments.output);
  }
  if (same_file(arguments.json, arguments.output)) {
    return wrong_usage("--json {}: that is the new model; name another file", arguments.json);
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
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const QuantizePlan plan = {&model->gguf, std::move(*choices), arguments.output, arguments.force,
                             arguments.threads > 0 ? arguments.threads : cores};
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
  tell_shortfalls(table);
  fmt::print(stderr, "{}: {}\n", printable(arguments.output), format_bytes(made->bytes));
  if (arguments.json != "-") {
    print_table(table);
  }
  return arguments.json.empty()
             ? Result<void>()
             : write_json(to_json(arguments, model->gguf, table, made->bytes), arguments.json);
}

}  // namespace

void add_quantize_command(Command app, Invocation& invocation) {
  auto arguments = std::make_shared<QuantizeArguments>();
  Command command = app.subcommand("quantize", "Write a model with fewer bits a weight, by a rule");
  command.footer(
      "static:LOW,HIGH: routed experts at the low bits; embeddings, output head, attention, shared experts,\n"
      "and the experts of the first and the last block at the high ones; the router, norms and what is "
      "small\n"
      "as they are. Bits are 2, 3, 4, 5, 6, 8 or 16: Q2_K to Q6_K, Q8_0, F16. Nothing is calibrated.\n"
      "Example:\n"
      "  spillway quantize qwen-bf16.gguf qwen-2-4.gguf --rule static:2,4");
  command.text("input", arguments->input, "A GGUF, or the first file of a split one")
      .required()
      .type_name("IN.gguf");
  command.text("output", arguments->output, "The GGUF to write, in one file")
      .required()
      .type_name("OUT.gguf");
  command.text("--rule", arguments->rule, "Which weights get how many bits: static:LOW,HIGH")
      .required()
      .type_name("RULE");
  command.flag("--force", arguments->force, "Replace the file if it exists");
  command.count("--threads", {.least = 1, .most = 1024}, arguments->threads,
                "Threads that quantize (default: one per core)");
  command.text("--json", arguments->json, "Write what was made as JSON to this file; - is stdout")
      .type_name("FILE");
  command.runs(invocation, [arguments] { return run_quantize(*arguments); });
}

}  // namespace spillway
