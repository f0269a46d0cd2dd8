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
#include "model/gguf/gguf_metadata.h"
#include "model/tensor_type.h"

namespace spillway {

struct GgufTensor {
  std::string name;
  TensorType type{};
  std::array<uint64_t, 4> dims = {1, 1, 1, 1};  // fastest first; those that are not there are 1
  uint32_t file = 0;                            // index into Gguf::files()
  uint64_t offset = 0;                          // from the beginning of that file
  uint64_t bytes = 0;                           // all of it lies within the file
};

// `2048×768×128`
std::string describe_dims(const std::array<uint64_t, 4>& dims);

// `blk.7.attn_q.weight` taken apart; what belongs to no block has none, and all of the name is the rest.
struct GgufTensorName {
  std::optional<uint32_t> block;
  std::string_view rest;  // behind `blk.7.`; a part of what was parsed, which must outlive it
};

GgufTensorName parse_tensor_name(std::string_view name);

// In the order of the files, and by name.
struct GgufTensorTable {
  std::vector<GgufTensor> list;
  std::map<std::string, size_t, std::less<>> by_name;
};

// A model file: what its head says, and where its tensors lie. The bytes of the tensors are left alone.
//
// Read are versions 2 and 3, in one file or split. Nothing in a file is believed before it was checked
// against the file: a damaged one gives an error that names the path and the offset, and every tensor of an
// opened one lies within its file, as large as its type and shape want it.
class Gguf {
 public:
  // `path` is the model, or the first file (NAME-00001-of-000NN.gguf) of a split one, whose others are found
  // beside it.
  static Result<Gguf> open(const std::string& path);

  const std::string& path() const { return files_.front(); }
  const std::vector<std::string>& files() const { return files_; }
  // Of a split model, those of the first file: the others have none of interest.
  const GgufMetadata& metadata() const { return metadata_; }
  std::span<const GgufTensor> tensors() const { return tensors_.list; }

  // nullptr when there is none of that name.
  const GgufTensor* find(std::string_view name) const;
  // Fails when the tensor is missing or has another shape. Dimensions of 1 at the end may be left out.
  Result<const GgufTensor*> tensor(std::string_view name, std::initializer_list<uint64_t> dims) const;

 private:
  Gguf(std::vector<std::string> files, GgufMetadata metadata, GgufTensorTable tensors)
      : files_(std::move(files)), metadata_(std::move(metadata)), tensors_(std::move(tensors)) {}

  std::vector<std::string> files_;
  GgufMetadata metadata_;
  GgufTensorTable tensors_;
};

}  // namespace spillway
