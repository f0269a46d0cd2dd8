#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "app/plan/report.h"
#include "core/units.h"

namespace spillway {
namespace {

using plan::Plan;
using plan::TokenTime;

// Writes an amount of memory in the units in which memory is sold.
std::string sold(uint64_t bytes) {
  return fmt::format("{:.3g} GB", double(bytes) / double(kGiB));
}

std::string rate(double bytes_per_s) {
  return format_bytes(uint64_t(bytes_per_s)) + "/s";
}

std::string speed(double tok_per_s) {
  return fmt::format("{:.{}f}", tok_per_s, tok_per_s < 10 ? 2 : tok_per_s < 100 ? 1 : 0);
}

std::string speed_of(const Plan& plan) {
  return plan.speed ? speed(plan.speed->central) : "-";
}

std::string drive_text(const plan::Drive& drive) {
  return fmt::format("{}{}", drive.count > 1 ? fmt::format("{} × ", drive.count) : "", printable(drive.name));
}

// A part of a token's time, and the remedy if it is the largest part.
struct Part {
  const char* name;
  double seconds;
  const char* remedy;
};

std::vector<Part> parts_of(const TokenTime& time) {
  return {{time.by_arithmetic ? "weights, by arithmetic" : "weights, by memory", time.weights_s,
           time.by_arithmetic ? "Arithmetic limits the speed. Use fewer experts a token, or a "
                                "processor with more or faster cores."
                              : "Memory bandwidth limits the speed. Use fewer bits a weight, fewer "
                                "experts a token, or faster memory."},
          {"attention", time.attention_s,
           "The context limits the speed. Use a shorter context, or keys and values of fewer bits "
           "(--bits 4,kv=8)."},
          {"starting and waiting", time.launches_s,
           "Starting work and waiting for the router limit the speed. Use memory for all experts, so that "
           "nothing waits, or a newer processor. No drive helps."},
          {"copies from page cache", time.cached_reads_s,
           "Copying experts out of the page cache limits the speed. Use a program with a cache of its own."},
          {"drive", time.drive_s,
           "The drive limits the speed. Use more memory, a faster drive, a second drive, or fewer bits."}};
}

// Returns an empty table with columns for a name, its amount, and a note.
TextTable amount_table() {
  return TextTable(
      {{.least = 26}, {.align = TextTable::Align::right, .least = 9, .gap = 1}, {.wraps = true}});
}

// Returns the memory that each part takes; the lines add up to the last one. Amounts "as sold" are in units
// of 2^30 bytes, all others in GB of 10^9 bytes, as everywhere else.
std::string memory_section(const PlanStudy& study) {
  const plan::MemoryPlan& memory = study.plan.memory;
  TextTable table = amount_table();
  table.line("");
  table.line(fmt::format("memory of {} as sold (1 GB is 2^30 bytes) = {} in this table (1 GB is 10^9 bytes)",
                         sold(memory.total), format_bytes(memory.total)));
  const auto line = [&](const char* name, uint64_t bytes, const std::string& note) {
    table.row({name, format_bytes(bytes), note});
  };
  line("system, other programs", memory.system, "");
  line("resident weights", memory.resident, "");
  line("context", memory.context, fmt::format("{} tokens", study.question.context));
  line("work", memory.work, "");
  if (!memory.fits()) {
    line("experts", memory.step, "those of one token in one layer, the minimum");
    line("together", memory.needed(), "");
    table.line(fmt::format("  does not fit: the model needs {}, {} more than the machine has",
                           format_bytes(memory.needed()), format_bytes(memory.needed() - memory.total)));
    return table.text();
  }
  line("experts", memory.cache,
       memory.holds_all_experts() ? "all of them"
                                  : fmt::format("{:.0f} % of {}; the others are read when they are needed",
                                                100 * memory.cached_share(), format_bytes(memory.bank)));
  if (memory.holds_all_experts()) {
    line("to spare", memory.total - memory.system - memory.peak(), "");
  }
  line("together", memory.total, "");
  table.line(fmt::format("  fits; the process takes up to {}", format_bytes(memory.peak())));
  return table.text();
}

std::string speed_section(const PlanStudy& study) {
  if (!study.plan.speed) {
    return "";
  }
  const plan::Forecast& forecast = *study.plan.speed;
  TextTable table = amount_table();
  table.line("");
  table.line(fmt::format("speed  {} tok/s, likely {} to {}", speed(forecast.central), speed(forecast.low),
                         speed(forecast.high)));
  const TokenTime& time = forecast.time;
  const double total = time.total_s();
  std::vector<Part> parts = parts_of(time);
  for (const Part& part : parts) {
    if (part.seconds > 0) {
      table.row({part.name, format_duration(from_seconds(part.seconds)),
                 fmt::format("{:.0f} %", 100 * part.seconds / total)});
    }
  }
  if (time.hidden_s > 0) {
    table.row({"of which hidden", format_duration(from_seconds(time.hidden_s))});
  }
  if (study.plan.streams) {
    table.line(fmt::format("  {:.1f} % of the experts are found in memory ({}); {} a token are read",
                           100 * time.hit_ratio, printable(study.locality_source),
                           format_bytes(uint64_t(time.missed_bytes))));
    table.line(fmt::format("  reading every expert at the drive's full rate would give {} tok/s",
                           speed(study.plan.seed_ceiling)));
  }
  const Part& largest = *std::max_element(parts.begin(), parts.end(),
                                          [](const Part& a, const Part& b) { return a.seconds < b.seconds; });
  table.line(fmt::format("  {}", largest.remedy));
  return table.text();
}

std::string variants_text(const std::vector<PlanVariant>& variants) {
  std::string text;
  for (const PlanVariant& variant : variants) {
    text += fmt::format("{}{}: {}", text.empty() ? "" : "  ", variant.what, speed_of(variant.plan));
  }
  return text;
}

std::string variants_section(const PlanStudy& study) {
  TextTable table({{.least = 26}, {.wraps = true}});
  table.line("");
  table.line("with one thing changed, tok/s (-: does not run)");
  table.row({"drives", variants_text(study.drive_counts)});
  table.row({"experts a token", variants_text(study.top_ks)});
  if (!study.bit_widths.empty()) {
    table.row({"bits of the experts", variants_text(study.bit_widths)});
  }
  table.row({"tokens of context", variants_text(study.contexts)});
  if (study.plan.streams && study.paths.size() > 1) {
    table.row({"read by", variants_text(study.paths)});
  }
  return table.text();
}

std::string sweep_section(const PlanStudy& study) {
  std::vector<TextTable::Column> columns = {{.least = 8}};
  std::vector<std::string> cells = {"memory"};
  for (const double bandwidth : study.bandwidths) {
    columns.push_back({.align = TextTable::Align::right, .least = 9, .gap = columns.size() == 1 ? 3U : 1U});
    cells.push_back(fmt::format("{:.3g} GB/s", bandwidth / 1e9));
  }
  TextTable table(std::move(columns));
  table.row(std::move(cells));
  for (size_t row = 0; row < study.memories.size(); ++row) {
    cells = {fmt::format("{:>8}", sold(study.memories[row]))};
    for (size_t column = 0; column < study.bandwidths.size(); ++column) {
      const double value = study.speeds[row * study.bandwidths.size() + column];
      cells.push_back(value > 0 ? speed(value) : "-");
    }
    table.row(std::move(cells));
    if (study.memories[row] >= study.memory_enough) {
      break;  // larger memories give nearly the same speeds
    }
  }
  std::string enough = fmt::format("  more memory than {} gains less than {:.0f} %",
                                   sold(study.memory_enough), 100 * kEnoughGain);
  if (study.bandwidth_enough) {
    enough += *study.bandwidth_enough == 0
                  ? std::string("; the drive does not matter, since all experts are in memory")
                  : fmt::format("; with {} of memory, so does a drive faster than {}",
                                sold(study.plan.memory.total), rate(*study.bandwidth_enough));
  }
  table.line(std::move(enough));
  return "\ntok/s for each amount of memory (as sold) and each bandwidth of one drive\n" + table.text();
}

std::string offer_text(const PlanPurchase& purchase, const plan::Offer& offer) {
  const plan::Forecast& forecast = *offer.plan.speed;
  return fmt::format("{:>6}{}{}: {} tok/s ({} to {})", sold(offer.memory),
                     offer.plan.streams ? " and " + drive_text(offer.drive) : ", all in memory",
                     purchase.drive_is_sold ? fmt::format(", about ${:.0f}", offer.price) : "",
                     speed(forecast.central), speed(forecast.low), speed(forecast.high));
}

void add_purchase(TextTable& table, const PlanPurchase& purchase) {
  const std::string machine = printable(purchase.machine);
  if (!purchase.likely) {
    table.row({machine, fmt::format("does not reach the target: {}",
                                    purchase.fastest ? "at most " + offer_text(purchase, *purchase.fastest)
                                                     : "the model does not fit")});
    return;
  }
  const std::string likely = offer_text(purchase, *purchase.likely);
  const std::string surely = purchase.surely ? offer_text(purchase, *purchase.surely) : "";
  if (likely != surely) {
    table.row({machine, "likely " + likely});
  }
  if (!surely.empty()) {
    table.row({likely == surely ? machine : "", "surely " + surely});
  }
}

std::string target_section(const PlanStudy& study) {
  if (study.purchases.empty()) {
    return "";
  }
  const double target = study.request.target;
  TextTable table({{.least = 21}, {.gap = 1, .wraps = true}});
  table.line("");
  table.line(fmt::format(
      "the cheapest memory and drive for {} tok/s: reached by the most likely speed (likely) or by "
      "the whole interval (surely)",
      speed(target)));
  add_purchase(table, study.purchases.front());
  table.line("  on other machines");
  for (const bool reaches : {true, false}) {
    for (size_t i = 1; i < study.purchases.size(); ++i) {
      if (study.purchases[i].likely.has_value() == reaches) {
        add_purchase(table, study.purchases[i]);
      }
    }
  }
  table.line(
      "  Prices are of memory and drives alone. They are assumptions (presets, --ram-price) "
      "that only put the offers in order.");
  return table.text();
}

}  // namespace

std::string plan_table(const PlanStudy& study) {
  const plan::Question& question = study.question;
  std::string text = fmt::format(
      "{}: {} layers × {} experts, {} a token; {}\non {}, {}/s; drive {}, {}; run by {}{}\n",
      printable(question.model.name), question.model.moe_layers, question.model.experts_per_layer,
      question.top_k, study.bits, printable(question.machine.name),
      format_bytes(uint64_t(question.machine.bandwidth)), drive_text(question.drive),
      rate(plan::array_bandwidth(question.drive)), printable(study.plan.runtime.name),
      !study.other_runtime ? std::string()
      : study.plan.streams
          ? fmt::format("; {} is for models that fit in memory", printable(study.request.runtime))
          : fmt::format("; {} is for models that do not fit in memory", printable(study.request.runtime)));
  text += memory_section(study) + speed_section(study) + variants_section(study) + sweep_section(study);
  return text + target_section(study);
}

std::string claims_table(const Claims& claims) {
  constexpr auto kRight = TextTable::Align::right;
  TextTable table({{.least = 20, .gap = 0},
                   {.least = 42, .gap = 1, .wraps = true},
                   {.align = kRight, .least = 9, .gap = 1},
                   {.align = kRight, .least = 9, .gap = 1},
                   {.least = 16},
                   {.align = kRight, .least = 7, .gap = 1},
                   {}});
  table.row({"published by", "what", "published", "planned", "likely", "error"});
  for (const Claim& claim : claims.covered) {
    const plan::Forecast& forecast = claim.forecast;
    table.row({printable(claim.system), printable(claim.what), speed(claim.published),
               speed(forecast.central), speed(forecast.low) + " to " + speed(forecast.high),
               fmt::format("{:+.0f} %", 100 * claim.error()), claim.within_interval() ? "" : "outside"});
    if (!claim.note.empty()) {
      table.line("  " + printable(claim.note));
    }
  }
  table.line("");
  table.line(fmt::format("within 15 %: {} of {}; within 20 %: {}", claims.within(0.15), claims.covered.size(),
                         claims.within(0.2)));
  table.line("");
  table.line("not covered");
  for (const UncoveredClaim& claim : claims.not_covered) {
    table.row(
        {printable(claim.system), printable(claim.what), claim.published > 0 ? speed(claim.published) : "-"});
    table.line("  " + printable(claim.why));
  }
  return table.text();
}

}  // namespace spillway
