#include "model/engine.h"

#include <algorithm>
#include <new>

#include "core/expects.h"

namespace spillway {
namespace {

constexpr std::align_val_t kBufferAlignment{64};

// Threads get rows of a matrix in multiples of this, since kernels work on several rows at once.
constexpr uint32_t kRowsTogether = 8;

}  // namespace

void AlignedBytes::Free::operator()(std::byte* memory) const {
  ::operator delete[](memory, kBufferAlignment);
}

void AlignedBytes::resize(size_t bytes) {
  if (bytes > bytes_) {
    data_.reset();  // first, so that the old and the new memory are never held together
    bytes_ = 0;
    data_.reset(static_cast<std::byte*>(::operator new[](bytes, kBufferAlignment)));
    bytes_ = bytes;
  }
}

void Activations::reshape(uint32_t tokens, uint32_t columns) {
  tokens_ = tokens;
  columns_ = columns;
  values_.resize(size_t{tokens} * columns * sizeof(float));
  made_.fill(false);
}

const std::byte* Activations::as(ActivationType type, Engine& engine) {
  const auto index = static_cast<size_t>(type);
  AlignedBytes& form = forms_[index];
  if (!made_[index]) {
    const size_t bytes = activation_bytes(type, columns_);
    form.resize(tokens_ * bytes);
    const auto quantize = [&](uint32_t token) {
      engine.k().quantize(type, {row(token), columns_}, form.data() + token * bytes);
    };
    if (tokens_ == 1) {
      quantize(0);
    } else {
      engine.each(tokens_, quantize);
    }
    made_[index] = true;
  }
  return form.data();
}

void Engine::multiply(std::span<const Product> products, uint32_t tokens) {
  uint32_t pieces = 0;
  for (const Product& product : products) {
    pieces += Pieces(product.weights->rows, kRowsTogether, threads()).count();
  }
  pool_.run(pieces, [&](uint32_t piece, unsigned) {
    for (const Product& product : products) {
      const Pieces own(product.weights->rows, kRowsTogether, threads());
      if (piece < own.count()) {
        const RowRange rows = own.at(piece);
        kernels_.multiply(*product.weights, rows.first, rows.last, product.activations, tokens, product.out,
                          product.out_stride);
        return;
      }
      piece -= own.count();
    }
  });
}

void Engine::multiply(const Matrix& weights, Activations& x, float* out, size_t out_stride) {
  Expects(x.columns() == weights.columns);
  const Product product{&weights, x.as(activation_type(weights.type), *this), out, out_stride};
  multiply(std::span(&product, 1), x.tokens());
}

void Engine::each(uint32_t count, FunctionRef<void(uint32_t)> task) {
  const Pieces pieces(count, 1, threads());
  pool_.run(pieces.count(), [&](uint32_t piece, unsigned) {
    const RowRange range = pieces.at(piece);
    for (uint32_t i = range.first; i < range.last; ++i) {
      task(i);
    }
  });
}

}  // namespace spillway
