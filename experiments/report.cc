#include "experiments/report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

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

Result<void> write_json(const nlohmann::ordered_json& json, const std::string& path) {
  // Paths need not be UTF-8; what is not is replaced rather than thrown over.
  const std::string text = json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (path == "-") {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
      return failed("stdout: the JSON cannot be written: {}", std::strerror(errno));
    }
    return {};
  }
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    return failed("{}: the report cannot be written: {}", path, std::strerror(errno));
  }
  return {};
}

}  // namespace spillway
