#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/gguf/gguf.h"
#include "model/gguf/gguf_head.h"
#include "model/gguf/gguf_writer.h"
#include "tests/model/gguf_builder.h"
#include "tests/support/files.h"

namespace spillway::test {

// A model file with some keys set to something else or left out, and with further tensors: as other people's
// files differ from ours.
class ChangedModel {
 public:
  explicit ChangedModel(std::string path) : path_(std::move(path)) {}

  template <class T>
  ChangedModel& number(const std::string& key, T value) {
    return pair(key, type_number<T>(), Fields().number(value).bytes());
  }
  ChangedModel& text(const std::string& key, std::string_view value) {
    return pair(key, GgufType::text, Fields().text(value).bytes());
  }
  template <class T>
  ChangedModel& numbers(const std::string& key, const std::vector<T>& values) {
    Fields fields;
    fields.number(uint32_t(type_number<T>())).number(uint64_t(values.size()));
    for (const T value : values) {
      fields.number(value);
    }
    return pair(key, GgufType::array, fields.bytes());
  }
  ChangedModel& without(const std::string& key) {
    gone_.insert(key);
    return *this;
  }
  // Adds a tensor of F32 zeros.
  ChangedModel& tensor(const std::string& name, uint64_t values) {
    further_.emplace_back(name, values);
    return *this;
  }
  // Sets value number `at` of a tensor of F32.
  ChangedModel& value(const std::string& name, size_t at, float value) {
    values_[name] = {at, value};
    return *this;
  }

  // Writes the file beside the original and returns its path.
  std::string write(const std::string& name = "changed.gguf") const {
    const Gguf gguf = std::move(*Gguf::open(path_));
    const std::string bytes = read_file(path_);
    GgufWriter writer(32);
    const std::vector<GgufPair> pairs = find_gguf_pairs(path_).value();
    for (const GgufPair& pair : pairs) {
      if (!gone_.contains(pair.key) && !pairs_.contains(pair.key)) {
        writer.pair(std::string_view(bytes).substr(pair.begin, pair.end - pair.begin));
      }
    }
    for (const auto& [key, pair] : pairs_) {
      writer.pair(pair);
    }
    for (const GgufTensor& tensor : gguf.tensors()) {
      writer.tensor(tensor.name, tensor.dims, tensor.type, tensor.bytes);
    }
    for (const auto& [tensor, count] : further_) {
      writer.tensor(tensor, {count, 1, 1, 1}, TensorType::f32, count * sizeof(float));
    }
    std::string file = writer.head();
    const auto append = [&](std::string data) {
      data.append(writer.padding_behind(data.size()), '\0');
      file += data;
    };
    for (const GgufTensor& tensor : gguf.tensors()) {
      std::string data = bytes.substr(tensor.offset, tensor.bytes);
      if (const auto changed = values_.find(tensor.name); changed != values_.end()) {
        std::memcpy(data.data() + changed->second.first * sizeof(float), &changed->second.second,
                    sizeof(float));
      }
      append(data);
    }
    for (const auto& [tensor, count] : further_) {
      append(std::string(count * sizeof(float), '\0'));
    }
    const std::string path = path_.substr(0, path_.find_last_of('/') + 1) + name;
    write_file(path, file);
    return path;
  }

 private:
  ChangedModel& pair(const std::string& key, GgufType type, std::string_view value) {
    pairs_[key] = Fields().text(key).number(uint32_t(type)).raw(value).bytes();
    return *this;
  }

  std::string path_;
  std::map<std::string, std::string> pairs_;
  std::set<std::string> gone_;
  std::vector<std::pair<std::string, uint64_t>> further_;
  std::map<std::string, std::pair<size_t, float>> values_;
};

}  // namespace spillway::test
