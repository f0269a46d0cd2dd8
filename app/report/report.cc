#include "app/report/report.h"

#include <filesystem>

#include "core/json.h"
#include "host/file.h"

namespace spillway {

double achieved_tok_per_s(const Report& report) {
  if (report.live_s_per_token) {
    return 1 / *report.live_s_per_token;
  }
  const PhaseMetrics& decode = report.metrics.decode();
  return decode.wall.count() == 0 ? 0.0 : double(decode.tokens) / seconds(decode.wall);
}

std::optional<double> stolen_share(const Report& report) {
  const double wall = seconds(report.io.wall);
  return report.io.stolen_cpu_s && wall > 0 ? std::optional(*report.io.stolen_cpu_s / wall) : std::nullopt;
}

bool is_disturbed(const std::optional<double>& stolen_share) {
  constexpr double kTolerated = 0.02;
  return stolen_share.value_or(0) > kTolerated;
}

std::optional<double> share_from_ram(const Report& report) {
  if (!report.io.device_bytes || report.io.counts.bytes_read == 0) {
    return std::nullopt;
  }
  return 1.0 - double(*report.io.device_bytes) / double(report.io.counts.bytes_read);
}

std::string beyond_ceilings(const Report& report) {
  const std::optional<double> from_ram = share_from_ram(report);
  if (!from_ram || report.ceilings.drive.bytes_per_s <= 0) {
    return "";
  }
  if (*from_ram > kColdTolerance) {
    return "part of the bytes came from RAM; the ceilings count the drive alone, "
           "so the run can exceed 100 % of them";
  }
  // In a simulation, read-ahead and a prefill from cold can outweigh the bytes that decode got from RAM.
  return report.virtual_time ? "the page cache serves part of the bytes; the ceilings count the drive alone, "
                               "so the run can exceed 100 % of them"
                             : "";
}

Result<void> check_json_path(const std::string& path, const std::string& source) {
  return path == "-" ? Result<void>() : check_output_path("--json", path, source);
}

Result<void> check_output_path(const std::string& flag, const std::string& path, const std::string& source) {
  if (path.empty()) {
    return {};
  }
  if (!source.empty() && same_file(path, source)) {
    return wrong_usage("{} {}: this is the input file {}; name another file", flag, path, source);
  }
  std::error_code ignored;
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
      !std::filesystem::is_directory(status)) {
    return {};  // a device or a pipe: opening it could block, or be noticed at its other end
  }
  // Creates a file beside the old one and drops it: no rule is as reliable as trying.
  Result<OutputFile> trial = OutputFile::create(path, OutputFile::Place::rename_when_done, true);
  return trial ? Result<void>() : propagate(trial);
}

Result<void> check_binary_output(const std::string& flag, const std::string& path) {
  return path == "-" ? wrong_usage("{} -: the output is binary and cannot go to stdout; name a file", flag)
                     : Result<void>();
}

Result<void> write_json(const Json& json, const std::string& path) {
  // Paths need not be UTF-8; invalid bytes are replaced, so that dump() does not throw.
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  Result<OutputFile> file = path == "-" ? OutputFile::standard_output()
                                        : OutputFile::create(path, OutputFile::Place::rename_when_done, true);
  if (!file) {
    return propagate(file);
  }
  if (Result<void> written = file->write(std::string_view(text)); !written) {
    return written;
  }
  return file->finish();
}

Result<void> write_json(const Report& report, const std::string& path) {
  return write_json(to_json(report), path);
}

}  // namespace spillway
