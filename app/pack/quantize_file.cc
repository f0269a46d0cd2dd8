#include "app/pack/quantize_file.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/expects.h"
#include "core/units.h"
#include "host/file.h"
#include "model/gguf/gguf_head.h"
#include "model/gguf/gguf_writer.h"
#include "model/kernels/kernels.h"
#include "model/quantize.h"
#include "model/thread_pool.h"

namespace spillway {
namespace {

// Numbers of values: a slice is read at a time, and a thread takes a piece of it. Both consist of whole
// blocks of every type and need not end with a row: no block is shared between rows, so a tensor is one
// sequence of blocks.
constexpr uint64_t kSlice = uint64_t(1) << 20;
constexpr uint64_t kPiece = uint64_t(1) << 14;
constexpr auto kMostThreads = unsigned(kSlice / kPiece);  // further threads would have no piece
constexpr uint64_t kCopy = 4 * kMiB;

constexpr uint32_t kQuantizationVersion = 2;

// Returns the type that most of the weights have.
TensorType main_type(const std::vector<WeightChoice>& choices) {
  std::map<TensorType, uint64_t> values;
  for (const WeightChoice& choice : choices) {
    values[choice.type] += tensor_values(*choice.tensor);
  }
  const auto most = std::max_element(values.begin(), values.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == values.end() ? TensorType::f32 : most->first;
}

// Writes the first file's keys to the new file, which holds all tensors. The two keys that describe the
// quantization are replaced, or appended if they were missing. The file type is left out if GGUF has no
// number for the main type.
class QuantizedKeys {
 public:
  QuantizedKeys(bool split, TensorType most) : split_(split) {
    if (const std::optional<uint32_t> number = gguf_file_type(most); number) {
      numbers_.emplace_back(kFileType, *number);
    }
    numbers_.emplace_back(kVersion, kQuantizationVersion);
  }

  void add(GgufWriter& writer, const std::string& key, std::string_view bytes) {
    if (key == kFileType || key == kVersion) {
      const auto ours = std::find_if(numbers_.begin(), numbers_.end(),
                                     [&](const auto& number) { return number.first == key; });
      if (ours != numbers_.end()) {
        writer.number(key, ours->second);
        numbers_.erase(ours);
      }
    } else if (key.starts_with("quantize.imatrix.")) {
      // Dropped: these keys describe the calibration of the input's weights, and the new weights have none.
    } else if (!split_ || !key.starts_with("split.")) {
      writer.pair(bytes);
    }
  }

  void add_missing(GgufWriter& writer) const {
    for (const auto& [key, number] : numbers_) {
      writer.number(key, number);
    }
  }

 private:
  static constexpr std::string_view kFileType = "general.file_type";
  static constexpr std::string_view kVersion = "general.quantization_version";

  const bool split_;
  std::vector<std::pair<std::string_view, uint32_t>> numbers_;  // the keys that are not written yet
};

Result<GgufWriter> make_head(const QuantizePlan& plan, const InputFile& first) {
  const Gguf& gguf = *plan.gguf;
  constexpr uint64_t kUsual = 32;
  const Result<uint64_t> alignment = gguf.metadata().integer<uint64_t>("general.alignment", kUsual);
  Result<std::vector<GgufPair>> pairs = find_gguf_pairs(gguf.path());
  if (!alignment || !pairs) {
    return Unexpected(alignment ? pairs.error() : alignment.error());
  }
  GgufWriter writer(*alignment);
  QuantizedKeys keys(gguf.files().size() > 1, main_type(plan.choices));
  std::string bytes;
  for (const GgufPair& pair : *pairs) {
    bytes.resize(pair.end - pair.begin);
    const auto into = std::as_writable_bytes(std::span(bytes.data(), bytes.size()));
    if (Result<void> read = first.read_exactly(pair.begin, into); !read) {
      return propagate(read);
    }
    keys.add(writer, pair.key, bytes);
  }
  keys.add_missing(writer);
  for (const WeightChoice& choice : plan.choices) {
    writer.tensor(choice.tensor->name, choice.tensor->dims, choice.type, choice.bytes);
  }
  return writer;
}

// The memory that one thread works in.
struct Scratch {
  std::vector<float> values = std::vector<float>(kPiece);
  std::vector<float> again = std::vector<float>(kPiece);
};

struct PieceOutcome {
  QuantizeLoss loss;
  std::optional<uint64_t> unfit;  // index in the slice of a value that the type cannot hold
  float value = 0;                // the unfit value
};

class TensorWriter {
 public:
  TensorWriter(const QuantizePlan& plan, const std::vector<InputFile>& files, OutputFile& output,
               FunctionRef<bool(uint64_t)> progress)
      : plan_(plan),
        files_(files),
        output_(output),
        progress_(progress),
        pool_(std::min(plan.threads, kMostThreads)),
        scratch_(std::min(plan.threads, kMostThreads)),
        outcomes_(kSlice / kPiece) {}

  Result<QuantizeLoss> write(const WeightChoice& choice) {
    QuantizeLoss loss;
    const GgufTensor& tensor = *choice.tensor;
    const TensorTypeInfo& from = tensor_type_info(tensor.type);
    const uint64_t slice = choice.changes() ? kSlice / from.block_elements * from.block_bytes : kCopy;
    for (uint64_t at = 0; at < tensor.bytes; at += slice) {
      in_.resize(std::min(slice, tensor.bytes - at));
      if (Result<void> read = take(tensor, at); !read) {
        return propagate(read);
      }
      Result<void> written = choice.changes() ? write_quantized(choice, at, loss) : put(in_);
      if (!written) {
        return propagate(written);
      }
      done_ += in_.size();
      if (!progress_(done_)) {
        return failed("{}: stopped before the file was complete; nothing of the file is left", plan_.output);
      }
    }
    return loss;
  }

  Result<void> put(std::span<const std::byte> bytes) {
    return output_.write(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  }

 private:
  Result<void> take(const GgufTensor& tensor, uint64_t at) {
    const InputFile& file = files_[tensor.file];
    Result<void> read = file.read_exactly(tensor.offset + at, in_);
    file.drop_cached(tensor.offset + at, in_.size());
    return read;
  }

  Result<void> write_quantized(const WeightChoice& choice, uint64_t at, QuantizeLoss& loss) {
    const TensorTypeInfo& from = tensor_type_info(choice.tensor->type);
    const TensorTypeInfo& to = tensor_type_info(choice.type);
    const uint64_t values = in_.size() / from.block_bytes * from.block_elements;
    out_.resize(values / to.block_elements * to.block_bytes);
    const auto pieces = uint32_t((values + kPiece - 1) / kPiece);
    pool_.run(pieces, [&](uint32_t piece, unsigned worker) {
      const uint64_t first = piece * kPiece;
      outcomes_[piece] = quantize_piece(from, to, first, std::min(kPiece, values - first), scratch_[worker]);
    });
    // Sums in the order of the values, so that the result does not depend on which thread finished first.
    for (const PieceOutcome& outcome : std::span(outcomes_).first(pieces)) {
      if (outcome.unfit) {
        const uint64_t before = at / from.block_bytes * from.block_elements;
        return failed(
            "{}: tensor {}: value {} is {}, beyond the range of the half-precision scales of {}; the file is "
            "damaged, or this model cannot be quantized",
            plan_.gguf->files()[choice.tensor->file], choice.tensor->name, before + *outcome.unfit,
            outcome.value, to.name);
      }
      loss.squares += outcome.loss.squares;
      loss.errors += outcome.loss.errors;
    }
    return put(out_);
  }

  PieceOutcome quantize_piece(const TensorTypeInfo& from, const TensorTypeInfo& to, uint64_t first,
                              uint64_t count, Scratch& scratch) {
    const std::span<float> values = std::span(scratch.values).first(count);
    const std::span<float> again = std::span(scratch.again).first(count);
    dequantize(from.type, in_.data() + first / from.block_elements * from.block_bytes, values);
    PieceOutcome outcome;
    if (const std::optional<size_t> unfit = first_unfit(values)) {
      outcome.unfit = first + *unfit;
      outcome.value = values[*unfit];
      return outcome;
    }
    std::byte* blocks = out_.data() + first / to.block_elements * to.block_bytes;
    quantize(to.type, values, blocks);
    dequantize(to.type, blocks, again);
    for (uint64_t i = 0; i < count; ++i) {
      const double value = values[i];
      const double error = value - double(again[i]);
      outcome.loss.squares += value * value;
      outcome.loss.errors += error * error;
    }
    return outcome;
  }

  const QuantizePlan& plan_;
  const std::vector<InputFile>& files_;
  OutputFile& output_;
  FunctionRef<bool(uint64_t)> progress_;
  ThreadPool pool_;
  std::vector<Scratch> scratch_;
  std::vector<PieceOutcome> outcomes_;
  std::vector<std::byte> in_;
  std::vector<std::byte> out_;
  uint64_t done_ = 0;
};

}  // namespace

Result<QuantizedFile> quantize_file(const QuantizePlan& plan, FunctionRef<bool(uint64_t done)> progress) {
  Expects(plan.choices.size() == plan.gguf->tensors().size());
  Result<std::vector<InputFile>> files = open_inputs(plan.gguf->files());
  if (!files) {
    return propagate(files);
  }
  Result<GgufWriter> writer = make_head(plan, files->front());
  if (!writer) {
    return propagate(writer);
  }
  const std::string head = writer->head();
  Result<OutputFile> output =
      OutputFile::create(plan.output, OutputFile::Place::rename_when_done, plan.replace);
  if (!output) {
    return propagate(output);
  }
  if (Result<void> room = output->check_room(head.size() + writer->data_bytes()); !room) {
    return propagate(room);
  }
  if (Result<void> written = output->write(head); !written) {
    return propagate(written);
  }
  TensorWriter tensors(plan, *files, *output, progress);
  QuantizedFile made;
  for (const WeightChoice& choice : plan.choices) {
    Result<QuantizeLoss> loss = tensors.write(choice);
    if (!loss) {
      return propagate(loss);
    }
    made.losses.push_back(*loss);
    const std::vector<std::byte> padding(writer->padding_behind(choice.bytes));
    if (Result<void> written = tensors.put(padding); !written) {
      return propagate(written);
    }
  }
  made.bytes = output->bytes_written();
  if (Result<void> finished = output->finish(); !finished) {
    return propagate(finished);
  }
  return made;
}

}  // namespace spillway
