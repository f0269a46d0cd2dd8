#include "app/pack/quantize_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "app/cli/text_table.h"
#include "core/json.h"
#include "core/units.h"

namespace spillway {
namespace {

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

// Returns true if every row changed type. The error of copied tensors is not computed, so the total has an
// error only if no tensor was copied.
bool all_changed(const QuantizeTable& table) {
  return std::all_of(table.rows.begin(), table.rows.end(), [](const auto& entry) {
    const auto& [group, before, after] = entry.first;
    return before != after;
  });
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
      return "have more bits than were asked for: a K type needs rows that are a multiple of 256";
    case Shortfall::no_q4_k:
      return "are in Q4_0 instead of Q4_K: a K type needs rows that are a multiple of 256";
    case Shortfall::no_blocks:
      return "stay as they are: a type with that few bits needs rows that are a multiple of 32";
    case Shortfall::narrow_already:
      return "stay as they are: they have fewer bits than were asked for, and more bits restore no precision";
  }
  return "";
}

double share_of(const QuantizeTable& table, const QuantizeRow& row) {
  return table.total.bytes_after == 0 ? 0 : double(row.bytes_after) / double(table.total.bytes_after);
}

Json json_of(const QuantizeRow& row, bool changed) {
  return {{"tensors", row.tensors},
          {"weights", row.values},
          {"bytes_before", row.bytes_before},
          {"bytes_after", row.bytes_after},
          {"bits_per_weight", row.bits_per_weight()},
          {"rms_error_relative", changed ? Json(row.error()) : Json()}};
}

}  // namespace

double QuantizeRow::bits_per_weight() const {
  return values == 0 ? 0 : 8 * double(bytes_after) / double(values);
}

double QuantizeRow::error() const {
  return loss.squares > 0 ? std::sqrt(loss.errors / loss.squares) : 0;
}

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

std::string to_table(const QuantizeTable& table) {
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
  return text.text();
}

std::vector<std::string> describe_shortfalls(const QuantizeTable& table) {
  std::vector<std::string> lines;
  for (const auto& [shortfall, row] : table.shortfalls) {
    lines.push_back(fmt::format("{} of {} tensors, {:.1f} % of the bytes, {}", row.tensors,
                                table.total.tensors, 100 * share_of(table, row), reason_for(shortfall)));
  }
  return lines;
}

Json to_json(const QuantizeTable& table, const Gguf& gguf, const std::string& rule, const std::string& output,
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
          {"output", output},
          {"output_bytes", bytes},
          {"rule", rule},
          {"groups", groups},
          {"total", json_of(table.total, all_changed(table))},
          {"shortfalls", shortfalls}};
}

}  // namespace spillway
