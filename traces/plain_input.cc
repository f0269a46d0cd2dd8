#include "traces/plain_input.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/expects.h"
#include "core/units.h"

namespace spillway {
namespace {

constexpr size_t kChunkBytes = 256U << 10;

// A file of a few bytes may stand for any number of zeros. No recording is that regular: traces shrink to a
// tenth or, where little changes, a hundredth.
constexpr uint64_t kAlwaysAllowed = 256 * kMiB;
constexpr uint64_t kMostExpansion = 1024;

constexpr std::array<uint8_t, 2> kGzipMagic = {0x1f, 0x8b};

bool is_zstd(std::span<const uint8_t> start) {
  if (start.size() < 4) {
    return false;
  }
  const uint32_t magic =
      uint32_t(start[0]) | uint32_t(start[1]) << 8 | uint32_t(start[2]) << 16 | uint32_t(start[3]) << 24;
  return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

bool is_gzip(std::span<const uint8_t> start) {
  return start.size() >= 2 && start[0] == kGzipMagic[0] && start[1] == kGzipMagic[1];
}

}  // namespace

// Decompresses one frame or member after the other. Errors say what is wrong, without path and place.
struct PlainInput::Decoder {
  struct Decoded {
    size_t consumed = 0;
    size_t produced = 0;
    bool frame_ended = false;
  };

  virtual ~Decoder() = default;
  virtual Result<Decoded> decode(std::span<const uint8_t> in, std::span<uint8_t> out) = 0;
  virtual const char* name() const = 0;
};

namespace {

class ZstdDecoder final : public PlainInput::Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) { Expects(context_ != nullptr); }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }
  ZstdDecoder(const ZstdDecoder&) = delete;
  ZstdDecoder& operator=(const ZstdDecoder&) = delete;

  Result<Decoded> decode(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    ZSTD_inBuffer from = {in.data(), in.size(), 0};
    ZSTD_outBuffer to = {out.data(), out.size(), 0};
    const size_t left = ZSTD_decompressStream(context_, &to, &from);
    if (ZSTD_isError(left) != 0) {
      return failed("{}", ZSTD_getErrorName(left));
    }
    return Decoded{from.pos, to.pos, left == 0};
  }
  const char* name() const override { return "zstd"; }

 private:
  ZSTD_DCtx* context_;
};

class GzipDecoder final : public PlainInput::Decoder {
 public:
  GzipDecoder() { Expects(inflateInit2(&stream_, kWindowAndGzip) == Z_OK); }
  ~GzipDecoder() override { inflateEnd(&stream_); }
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  Result<Decoded> decode(std::span<const uint8_t> in, std::span<uint8_t> out) override {
    stream_.next_in = const_cast<uint8_t*>(in.data());  // zlib reads it alone
    stream_.avail_in = uInt(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = uInt(out.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    const Decoded done{in.size() - stream_.avail_in, out.size() - stream_.avail_out, status == Z_STREAM_END};
    if (status == Z_STREAM_END) {
      Expects(inflateReset(&stream_) == Z_OK);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      return failed("{}", stream_.msg == nullptr ? zError(status) : stream_.msg);
    }
    return done;
  }
  const char* name() const override { return "gzip"; }

 private:
  static constexpr int kWindowAndGzip = 15 + 16;
  z_stream stream_{};
};

std::unique_ptr<PlainInput::Decoder> decoder_for(std::span<const uint8_t> start) {
  if (is_zstd(start)) {
    return std::make_unique<ZstdDecoder>();
  }
  return is_gzip(start) ? std::make_unique<GzipDecoder>() : nullptr;
}

}  // namespace

// The content of a compressed file from one place onwards.
class PlainInput::Stream {
 public:
  explicit Stream(std::unique_ptr<Decoder> decoder) : decoder_(std::move(decoder)), in_(kChunkBytes) {}

  uint64_t position() const { return position_; }

  // Fills `out` with what comes next. Returns fewer bytes at the end.
  Result<size_t> read(const InputFile& file, std::span<uint8_t> out) {
    size_t filled = 0;
    while (filled < out.size()) {
      if (begin_ == end_) {
        if (Result<void> more = refill(file); !more) {
          return propagate(more);
        }
      }
      const Result<Decoder::Decoded> done =
          decoder_->decode(std::span(in_).subspan(begin_, end_ - begin_), out.subspan(filled));
      if (!done) {
        return wrong(file, done.error().message);
      }
      begin_ += done->consumed;
      filled += done->produced;
      position_ += done->produced;
      in_frame_ = done->frame_ended ? false : in_frame_ || done->consumed + done->produced > 0;
      if (position_ > kAlwaysAllowed && position_ / kMostExpansion > file.size()) {
        return failed("{}: its {} bytes expand to more than {} times as many; that is no recording",
                      file.path(), file.size(), kMostExpansion);
      }
      if (done->consumed + done->produced == 0) {
        if (begin_ < end_ || in_frame_) {
          return wrong(file, begin_ < end_ ? "it leads nowhere" : "the file was cut off");
        }
        break;
      }
    }
    return filled;
  }

 private:
  Unexpected wrong(const InputFile& file, const std::string& what) const {
    return failed("{}: its {} data does not decompress, near offset {}: {}", file.path(), decoder_->name(),
                  offset_ - (end_ - begin_), what);
  }

  Result<void> refill(const InputFile& file) {
    Result<size_t> got = file.read_at(offset_, in_);
    if (!got) {
      return propagate(got);
    }
    begin_ = 0;
    end_ = *got;
    offset_ += *got;
    return {};
  }

  std::unique_ptr<Decoder> decoder_;
  std::vector<uint8_t> in_;
  size_t begin_ = 0;  // [begin_, end_) of in_ is not decoded yet
  size_t end_ = 0;
  uint64_t offset_ = 0;    // in the file, behind in_
  uint64_t position_ = 0;  // in the content
  bool in_frame_ = false;
};

Result<PlainInput> PlainInput::open(const std::string& path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file) {
    return propagate(file);
  }
  std::array<uint8_t, 4> start{};
  Result<size_t> got = file->read_at(0, start);
  if (!got) {
    return propagate(got);
  }
  std::unique_ptr<Decoder> decoder = decoder_for(std::span(start).first(*got));
  return PlainInput(std::move(*file), decoder ? std::make_unique<Stream>(std::move(decoder)) : nullptr);
}

PlainInput::PlainInput(InputFile file, std::unique_ptr<Stream> stream)
    : file_(std::move(file)), stream_(std::move(stream)) {
  if (stream_ == nullptr) {
    size_ = file_.size();
  }
}

PlainInput::PlainInput(PlainInput&&) noexcept = default;
PlainInput& PlainInput::operator=(PlainInput&&) noexcept = default;
PlainInput::~PlainInput() = default;

Result<size_t> PlainInput::read_at(uint64_t offset, std::span<uint8_t> into) {
  if (stream_ == nullptr) {
    return file_.read_at(offset, into);
  }
  if (offset < stream_->position()) {
    std::array<uint8_t, 4> start{};
    if (Result<size_t> got = file_.read_at(0, start); !got) {
      return propagate(got);
    }
    std::unique_ptr<Decoder> decoder = decoder_for(start);
    if (decoder == nullptr) {
      return failed("{}: changed while it was read", path());
    }
    stream_ = std::make_unique<Stream>(std::move(decoder));
  }
  std::vector<uint8_t> skipped;
  while (stream_->position() < offset) {
    skipped.resize(size_t(std::min<uint64_t>(kChunkBytes, offset - stream_->position())));
    Result<size_t> got = stream_->read(file_, skipped);
    if (!got) {
      return propagate(got);
    }
    if (*got < skipped.size()) {
      return size_t{0};
    }
  }
  return stream_->read(file_, into);
}

Result<size_t> PlainInput::read_at(uint64_t offset, std::span<std::byte> into) {
  return read_at(offset, std::span(reinterpret_cast<uint8_t*>(into.data()), into.size()));
}

Result<uint64_t> PlainInput::size() {
  std::vector<uint8_t> scratch;
  while (!size_) {
    scratch.resize(kChunkBytes);
    const uint64_t before = stream_->position();
    Result<size_t> got = stream_->read(file_, scratch);
    if (!got) {
      return propagate(got);
    }
    if (*got < scratch.size()) {
      size_ = before + *got;
    }
  }
  return *size_;
}

}  // namespace spillway
