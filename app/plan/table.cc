#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "app/cli/printable.h"
#include "app/plan/report.h"
#include "core/units.h"

namespace spillway {
namespace {

using plan::Plan;
using plan::TokenTime;

// As memory is sold.
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

// Where a token's time goes, and what makes that part smaller.
struct Part {
  const char* name;
  double seconds;
  const char* remedy;
};

std::vector<Part> parts_of(const TokenTime& time) {
  return {
      {time.by_arithmetic ? "weights, by arithmetic" : "weights, by memory", time.weights_s,
       time.by_arithmetic
           ? "Arithmetic limits: fewer experts a token, or a processor with more or faster cores."
           : "Memory bandwidth limits: fewer bits a weight, fewer experts a token, or faster memory."},
      {"attention", time.attention_s,
       "The context limits: a shorter one, or keys and values of fewer bits (--bits 4,kv=8)."},
      {"starting and waiting", time.launches_s,
       "Starting work and waiting for the router limits: memory for all experts, so that nothing waits, or a "
       "newer processor; no drive helps."},
      {"copies from page cache", time.cached_reads_s,
       "Copying experts out of the page cache limits: a program with a cache of its own."},
      {"drive", time.drive_s, "The drive limits: more memory, a faster drive or a second one, fewer bits."}};
}

// The lines add up to the last one. All but what is "as sold" is in GB of 10^9 bytes, as everywhere else.
std::string memory_section(const PlanStudy& study) {
  const plan::MemoryPlan& memory = study.plan.memory;
  std::string text =
      fmt::format("\nmemory of {} as sold: {} here, where 1 GB is 10^9 bytes (as sold, 2^30)\n",
                  sold(memory.total), format_bytes(memory.total));
  const auto line = [&](const char* name, uint64_t bytes, const std::string& note) {
    text += fmt::format("  {:<26} {:>9}{}{}\n", name, format_bytes(bytes), note.empty() ? "" : "  ", note);
  };
  line("system, other programs", memory.system, "");
  line("resident weights", memory.resident, "");
  line("context", memory.context, fmt::format("{} tokens", study.question.context));
  line("work", memory.work, "");
  if (!memory.fits()) {
    line("experts", memory.step, "of one token in one layer, the least there must be room for");
    line("together", memory.needed(), "");
    text += fmt::format("  does not fit: it needs {} and is {} short\n", format_bytes(memory.needed()),
                        format_bytes(memory.needed() - memory.total));
    return text;
  }
  line("experts", memory.cache,
       memory.holds_all_experts() ? "all of them"
                                  : fmt::format("{:.0f} % of {}; the others are read as they are needed",
                                                100 * memory.cached_share(), format_bytes(memory.bank)));
  if (memory.holds_all_experts()) {
    line("to spare", memory.total - memory.system - memory.peak(), "");
  }
  line("together", memory.total, "");
  return text + fmt::format("  fits; the process takes up to {}\n", format_bytes(memory.peak()));
}

std::string speed_section(const PlanStudy& study) {
  if (!study.plan.speed) {
    return "";
  }
  const plan::Forecast& forecast = *study.plan.speed;
  std::string text = fmt::format("\nspeed  {} tok/s, likely {} to {}\n", speed(forecast.central),
                                 speed(forecast.low), speed(forecast.high));
  const TokenTime& time = forecast.time;
  const double total = time.total_s();
  std::vector<Part> parts = parts_of(time);
  for (const Part& part : parts) {
    if (part.seconds > 0) {
      text += fmt::format("  {:<26} {:>9}  {:.0f} %\n", part.name,
                          format_duration(from_seconds(part.seconds)), 100 * part.seconds / total);
    }
  }
  if (time.hidden_s > 0) {
    text += fmt::format("  {:<26} {:>9}\n", "of which hidden", format_duration(from_seconds(time.hidden_s)));
  }
  if (study.plan.streams) {
    text += fmt::format("  {:.1f} % of the experts are found in memory ({}), {} a token are not\n",
                        100 * time.hit_ratio, printable(study.locality_source),
                        format_bytes(uint64_t(time.missed_bytes)));
    text += fmt::format("  reading every expert at the drive's full rate would be {} tok/s\n",
                        speed(study.plan.seed_ceiling));
  }
  const Part& largest = *std::max_element(parts.begin(), parts.end(),
                                          [](const Part& a, const Part& b) { return a.seconds < b.seconds; });
  text += fmt::format("  {}\n", largest.remedy);
  return text;
}

std::string variants_line(const char* name, const std::vector<PlanVariant>& variants) {
  std::string text = fmt::format("  {:<26}", name);
  for (const PlanVariant& variant : variants) {
    text += fmt::format("  {}: {}", variant.what, speed_of(variant.plan));
  }
  return text + "\n";
}

std::string variants_section(const PlanStudy& study) {
  std::string text = "\nwith one thing changed, tok/s (-: does not run)\n";
  text += variants_line("drives", study.drive_counts);
  text += variants_line("experts a token", study.top_ks);
  if (!study.bit_widths.empty()) {
    text += variants_line("bits of the experts", study.bit_widths);
  }
  text += variants_line("tokens of context", study.contexts);
  if (study.plan.streams && study.paths.size() > 1) {
    text += variants_line("read by", study.paths);
  }
  return text;
}

std::string sweep_section(const PlanStudy& study) {
  std::string text = "\ntok/s by memory, as sold, and by bandwidth of one drive\n  memory    ";
  for (const double bandwidth : study.bandwidths) {
    text += fmt::format("{:>10}", fmt::format("{:.3g} GB/s", bandwidth / 1e9));
  }
  text += "\n";
  for (size_t row = 0; row < study.memories.size(); ++row) {
    text += fmt::format("  {:>8}  ", sold(study.memories[row]));
    for (size_t column = 0; column < study.bandwidths.size(); ++column) {
      const double value = study.speeds[row * study.bandwidths.size() + column];
      text += fmt::format("{:>10}", value > 0 ? speed(value) : "-");
    }
    text += "\n";
    if (study.memories[row] >= study.memory_enough) {
      break;  // larger ones are alike
    }
  }
  text += fmt::format("  more memory than {} brings less than {:.0f} %", sold(study.memory_enough),
                      100 * kEnoughGain);
  if (study.bandwidth_enough) {
    text += *study.bandwidth_enough == 0
                ? std::string("; no drive matters, all is in memory")
                : fmt::format("; with {}, so does a drive faster than {}", sold(study.plan.memory.total),
                              rate(*study.bandwidth_enough));
  }
  return text + "\n";
}

std::string offer_text(const PlanPurchase& purchase, const plan::Offer& offer) {
  const plan::Forecast& forecast = *offer.plan.speed;
  return fmt::format("{:>6}{}{}: {} tok/s ({} to {})", sold(offer.memory),
                     offer.plan.streams ? " and " + drive_text(offer.drive) : ", all in memory",
                     purchase.drive_is_sold ? fmt::format(", about ${:.0f}", offer.price) : "",
                     speed(forecast.central), speed(forecast.low), speed(forecast.high));
}

std::string purchase_lines(const PlanPurchase& purchase) {
  const std::string name = fmt::format("  {:<21}", printable(purchase.machine));
  if (!purchase.likely) {
    return fmt::format(
        "{} does not reach it: {}\n", name,
        purchase.fastest ? "at most " + offer_text(purchase, *purchase.fastest) : "the model does not fit");
  }
  const std::string likely = offer_text(purchase, *purchase.likely);
  if (!purchase.surely) {
    return fmt::format("{} likely {}\n", name, likely);
  }
  const std::string surely = offer_text(purchase, *purchase.surely);
  if (likely == surely) {
    return fmt::format("{} surely {}\n", name, surely);
  }
  return fmt::format("{} likely {}\n  {:<21} surely {}\n", name, likely, "", surely);
}

std::string target_section(const PlanStudy& study) {
  if (study.purchases.empty()) {
    return "";
  }
  const double target = study.request.target;
  std::string text =
      fmt::format("\nthe least memory and drive for {} tok/s: as likely as not, or with the whole interval\n",
                  speed(target));
  text += purchase_lines(study.purchases.front());
  text += "  on other machines\n";
  std::string too_slow;
  for (size_t i = 1; i < study.purchases.size(); ++i) {
    (study.purchases[i].likely ? text : too_slow) += purchase_lines(study.purchases[i]);
  }
  return text + too_slow +
         "  Prices are of memory and drives alone, assumed (presets, --ram-price), and only put these in "
         "order.\n";
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
  std::string text = fmt::format("{:<20} {:<42} {:>9} {:>9}  {:<16} {:>6}\n", "published by", "what",
                                 "published", "planned", "likely", "error");
  for (const Claim& claim : claims.covered) {
    const plan::Forecast& forecast = claim.forecast;
    text += fmt::format("{:<20} {:<42} {:>9} {:>9}  {:<16} {:>+5.0f} %{}\n", printable(claim.system),
                        printable(claim.what), speed(claim.published), speed(forecast.central),
                        speed(forecast.low) + " to " + speed(forecast.high), 100 * claim.error(),
                        claim.within_interval() ? "" : "  outside");
    if (!claim.note.empty()) {
      text += fmt::format("  {}\n", printable(claim.note));
    }
  }
  text += fmt::format("\nwithin 15 %: {} of {}; within 20 %: {}\n\nnot covered\n", claims.within(0.15),
                      claims.covered.size(), claims.within(0.2));
  for (const UncoveredClaim& claim : claims.not_covered) {
    text += fmt::format("{:<20} {:<42} {:>9}\n  {}\n", printable(claim.system), printable(claim.what),
                        claim.published > 0 ? speed(claim.published) : "-", printable(claim.why));
  }
  return text;
}

}  // namespace spillway
