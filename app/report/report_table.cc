#include <cmath>

#include "app/cli/printable.h"
#include "app/cli/text_table.h"
#include "app/report/report.h"
#include "core/text.h"

namespace spillway {
namespace {

constexpr std::string_view kReplayBesideIt = "replay beside it";

std::string percent(double share) {
  return fmt::format("{:.1f} %", 100 * share);
}

// Makes a table with a line for each fact: its name, and the fact. All sections of a report have
// names of the same width.
TextTable fact_table(const Report& report) {
  return TextTable(
      {{.least = report.live_s_per_token ? kReplayBesideIt.size() : 15}, {.gap = 1, .wraps = true}});
}

std::string coldness(const Report& report, double from_ram) {
  const std::string bytes =
      fmt::format("asked for {}, the device delivered {}", format_bytes(report.io.counts.bytes_read),
                  format_bytes(report.io.device_bytes.value_or(0)));
  if (from_ram > kColdTolerance) {
    return fmt::format("{}: {} came from RAM", bytes, percent(from_ram));
  }
  if (from_ram < -kColdTolerance) {
    return fmt::format("{}: {:.2f} times as much ({})", bytes, 1 - from_ram,
                       report.virtual_time ? "whole units of the page cache, and read-ahead" : "read-ahead");
  }
  return fmt::format("{}: cold", bytes);
}

void headline(std::string& out, const Report& report) {
  append(out, "{}{}{}: {}, {}\n", report.command, report.trace_path.empty() ? "" : " ",
         printable(report.trace_path), report.model.empty() ? "unnamed model" : printable(report.model),
         report.geometry.describe());
  if (!report.backend_note.empty()) {
    append(out, "{}\n", printable(report.backend_note));
  }
  if (report.interrupted) {
    append(out, "INTERRUPTED: the report covers the part that ran.\n");
  }
  if (const std::optional<double> from_ram = share_from_ram(report);
      from_ram && std::abs(*from_ram) > kColdTolerance) {
    append(out, "{}: {}.\n", *from_ram > 0 ? "NOT COLD" : "READ MORE THAN WAS ASKED FOR",
           coldness(report, *from_ram));
  }
  append(out, "\n");
}

void speed(TextTable& facts, const Report& report) {
  const PhaseMetrics& decode = report.metrics.decode();
  if (report.live_s_per_token) {
    facts.row({"achieved", fmt::format("{:.2f} tok/s by the live run", achieved_tok_per_s(report))});
    facts.row({std::string(kReplayBesideIt),
               fmt::format("{} tokens in {}", decode.tokens, format_duration(decode.wall))});
  } else {
    facts.row({"achieved", fmt::format("{:.2f} tok/s   ({} tokens in {})", achieved_tok_per_s(report),
                                       decode.tokens, format_duration(decode.wall))});
  }
  const auto at = [&](double share) { return format_duration(quantile(decode.pass_latency, share)); };
  facts.row({"token latency",
             fmt::format("p50 {}   p95 {}   p99 {}   max {}", at(0.5), at(0.95), at(0.99), at(1.0))});
  if (report.metrics.prefill().passes > 0) {
    facts.row({"prefill", fmt::format("{} tokens in {}", report.metrics.prefill().tokens,
                                      format_duration(report.metrics.prefill().wall))});
  }
  facts.row({"hit ratio", fmt::format("{} decode, {} with prefill", percent(decode.hit_ratio()),
                                      percent(report.metrics.total().hit_ratio()))});
}

void per_token(TextTable& facts, const PhaseMetrics& decode) {
  if (decode.tokens == 0) {
    return;
  }
  const auto bytes = [&](uint64_t sum) { return format_bytes(sum / decode.tokens); };
  const auto time = [&](Nanoseconds sum) { return format_duration(sum / int64_t(decode.tokens)); };
  facts.row({"bytes per token", fmt::format("{} demanded, {} missed, {} prefetched, {} wasted",
                                            bytes(decode.bytes_demanded), bytes(decode.bytes_missed),
                                            bytes(decode.bytes_prefetched), bytes(decode.bytes_wasted))});
  const Nanoseconds rest = decode.wall - decode.stall - decode.compute();
  facts.row({"time per token", fmt::format("{} stalled, {} compute, {} else", time(decode.stall),
                                           time(decode.compute()), time(rest))});
  if (decode.prefetches_issued > 0) {
    facts.row({"prefetches", fmt::format("{} issued, {} useful, {} late, {} wasted", decode.prefetches_issued,
                                         decode.prefetches_useful, decode.late, decode.prefetches_wasted)});
  }
}

void ceiling_row(TextTable& table, const Report& report, const std::string& name,
                 const std::optional<double>& ceiling) {
  if (ceiling) {
    table.row({name, fmt::format("{:.2f}", *ceiling), percent(achieved_tok_per_s(report) / *ceiling)});
  }
}

void ceilings(std::string& out, const Report& report) {
  const Ceilings& all = report.ceilings;
  if (all.drive.bytes_per_s <= 0) {
    return;
  }
  constexpr auto kRight = TextTable::Align::right;
  TextTable table({{.least = 43, .wraps = true},
                   {.align = kRight, .least = 10, .gap = 1},
                   {.align = kRight, .least = 12, .gap = 1}});
  table.row({"ceiling", "tok/s", "achieved is"});
  ceiling_row(table, report, "seed: every expert read, no cache", all.seed_tok_per_s);
  ceiling_row(table, report, "policy: this run's own misses", all.policy_tok_per_s);
  ceiling_row(table, report, "physical: the misses of Belady's policy", all.physical_tok_per_s);
  TextTable facts = fact_table(report);
  facts.row(
      {"drive", fmt::format("{}/s ({})", format_bytes(uint64_t(all.drive.bytes_per_s)), all.drive.how)});
  if (const std::string why = beyond_ceilings(report); !why.empty()) {
    facts.row({"from RAM", why});
  }
  out += "\n" + table.text() + facts.text();
}

void live_facts(TextTable& facts, const Report& report) {
  if (!report.live) {
    return;
  }
  const LiveFacts& live = *report.live;
  facts.row(
      {"memory",
       fmt::format("{} resident weights, {} context, {} experts{}", format_bytes(live.resident_bytes),
                   format_bytes(live.context_bytes), format_bytes(report.io.arena_bytes),
                   live.peak_bytes ? fmt::format("; peak of the process {}", format_bytes(*live.peak_bytes))
                                   : std::string())});
  for (const auto& [layers, recall] : live.lookahead_recall) {
    facts.row({"look-ahead", fmt::format("{} of the experts foreseen {} layer{} ahead", percent(recall),
                                         layers, layers == 1 ? "" : "s")});
  }
}

std::string verification(const IoFacts& io) {
  if (io.verify == "off") {
    return "nothing";
  }
  const std::string bytes = format_bytes(io.counts.bytes_verified);
  if (io.verify == "all") {
    return bytes + ", every byte";
  }
  return fmt::format("{}, a few words of each expert and 1 in {} whole{}", bytes, kWholeCheckEvery,
                     io.lost_page_seen ? fmt::format("; one read shows a lost 4 KiB page with {} chance",
                                                     percent(*io.lost_page_seen))
                                       : "");
}

void proof(TextTable& facts, const Report& report) {
  const IoFacts& io = report.io;
  if (const std::optional<double> from_ram = share_from_ram(report)) {
    facts.row({"coldness", coldness(report, *from_ram)});
  }
  facts.row({"verified", verification(io)});
  if (io.arena_bytes > 0) {
    std::string moved;
    if (io.arena_moved_bytes > 0) {
      moved = fmt::format(", {} moved to join holes{}", format_bytes(io.arena_moved_bytes),
                          io.counts.moving.count() == 0 ? " while the drive read"
                                                        : fmt::format(", the drive idle meanwhile for {}",
                                                                      format_duration(io.counts.moving)));
    }
    facts.row({"cache memory", io.arena_pages + moved});
  }
  if (!report.virtual_time && io.counts.bytes_read > 0) {
    // Below 0.1 GB the quotient would be dominated by start-up work, so it is not shown. "Asked for" also
    // counts the bytes that the null backend does not read.
    constexpr double kLeastGb = 0.1;
    const double asked_gb = double(io.counts.bytes_read) / 1e9;
    facts.row({"CPU", fmt::format("{:.2f} s{}", io.cpu_s,
                                  asked_gb < kLeastGb
                                      ? std::string()
                                      : fmt::format(", {:.4f} s per GB asked for", io.cpu_s / asked_gb))});
  }
  if (is_disturbed(report)) {
    facts.row({"stolen", fmt::format("{} of a core's time: the machine's host held its processors back",
                                     percent(*stolen_share(report)))});
  }
}

}  // namespace

std::string to_table(const Report& report) {
  std::string out;
  headline(out, report);
  TextTable of_speed = fact_table(report);
  speed(of_speed, report);
  per_token(of_speed, report.metrics.decode());
  out += of_speed.text();
  ceilings(out, report);
  TextTable of_machine = fact_table(report);
  proof(of_machine, report);
  live_facts(of_machine, report);
  out += "\n" + of_machine.text();
  if (report.gap) {
    out += to_table(*report.gap);
  }
  for (const std::string& warning : report.warnings) {
    append(out, "\n  note: {}\n", printable(warning));
  }
  return out;
}

}  // namespace spillway
