#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/tensor_type.h"
#include "model/gguf/gguf_metadata.h"

namespace spillway {

struct GgufTensor {
  std::string name;
  TensorType type{};
  std::array<uint64_t, 4> dims = {1, 1, 1, 1};  // fastest first; missing dimensions are 1
  uint32_t file = 0;                            // index into Gguf::files()
  uint64_t offset = 0;                          // from the beginning of that file
  uint64_t bytes = 0;                           // the whole tensor lies within the file
};

// Writes dimensions as `2048×768×128`.
std::string describe_dims(const std::array<uint64_t, 4>& dims);

// The parts of a tensor name such as `blk.7.attn_q.weight`. The name of a tensor outside all blocks has no
// block number, and `rest` is the whole name.
struct GgufTensorName {
  std::optional<uint32_t> block;
  std::string_view rest;  // what follows `blk.7.`; a view into the parsed name, which must outlive it
};

GgufTensorName parse_tensor_name(std::string_view name);

// All tensors of a model: in the order of its files, and by name.
struct GgufTensorTable {
  std::vector<GgufTensor> list;
  std::map<std::string, size_t, std::less<>> by_name;
};

// A model file: the keys and values of its head, and the places of its tensors. The
// tensors' bytes are not read.
//
// Versions 2 and 3 are read, in one file or split over several. Everything in a file is checked against the
// file before it is used. A damaged file gives an error that names the path and the offset; in a file that
// was opened, every tensor lies within its file and has the size that its type and shape call for.
class Gguf {
 public:
  // `path` is the model file or, for a split model, its first file (NAME-00001-of-000NN.gguf); the other
  // files are looked for in the same directory.
  static Result<Gguf> open(const std::string& path);

  const std::string& path() const { return files_.front(); }
  const std::vector<std::string>& files() const { return files_; }
  // The keys of the first file; the further files of a split model have none of interest.
  const GgufMetadata& metadata() const { return metadata_; }
  std::span<const GgufTensor> tensors() const { return tensors_.list; }

  // Returns nullptr when no tensor has that name.
  const GgufTensor* find(std::string_view name) const;
  // Returns the tensor, or an error when it is missing or has another shape. Trailing dimensions of 1 may be
  // left out of `dims`.
  Result<const GgufTensor*> tensor(std::string_view name, std::initializer_list<uint64_t> dims) const;

 private:
  Gguf(std::vector<std::string> files, GgufMetadata metadata, GgufTensorTable tensors)
      : files_(std::move(files)), metadata_(std::move(metadata)), tensors_(std::move(tensors)) {}

  std::vector<std::string> files_;
  GgufMetadata metadata_;
  GgufTensorTable tensors_;
};

}  // namespace spillway
