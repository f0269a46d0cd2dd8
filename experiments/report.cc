#include "experiments/report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "traces/file.h"

namespace spillway {

double achieved_tok_per_s(const Report& report) {
  const PhaseMetrics& decode = report.metrics.decode();
  return decode.wall.count() == 0 ? 0.0 : double(decode.tokens) / seconds(decode.wall);
}

std::optional<double> share_from_ram(const Report& report) {
  if (!report.io.device_bytes || report.io.counts.bytes_read == 0) {
    return std::nullopt;
  }
  return 1.0 - double(*report.io.device_bytes) / double(report.io.counts.bytes_read);
}

Result<void> check_json_path(const std::string& path, const std::string& source) {
  if (path.empty() || path == "-") {
    return {};
  }
  std::error_code ignored;
  if (!source.empty() && std::filesystem::equivalent(path, source, ignored)) {
    return wrong_usage("--json {}: that is the trace itself; name another file", path);
  }
  const std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status) &&
      !std::filesystem::is_directory(status)) {
    return {};  // a device or a pipe: opening it could block or be noticed at its other end
  }
  // Made for a moment and gone again: no rule tells as surely as trying.
  Result<OutputFile> trial = OutputFile::create(path, OutputFile::Place::rename_when_done, true);
  return trial ? Result<void>() : propagate(trial);
}

Result<void> write_json(const nlohmann::ordered_json& json, const std::string& path) {
  // Paths need not be UTF-8; what is not is replaced rather than thrown over.
  const std::string text = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (path == "-") {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      return failed("stdout: the JSON cannot be written: {}", std::strerror(errno));
    }
    return {};
  }
  Result<OutputFile> file = OutputFile::create(path, OutputFile::Place::rename_when_done, true);
  if (!file) {
    return propagate(file);
  }
  if (Result<void> written = file->write(std::string_view(text)); !written) {
    return written;
  }
  return file->finish();
}

}  // namespace spillway
