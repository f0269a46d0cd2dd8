#pragma once

#include <array>

namespace spillway::page {

// The neutral colours of plots/figure.py (INK, MUTED, GRID, PAPER), and the page's colours that replace them.
struct Themed {
  const char* hex;
  const char* variable;
};
inline constexpr std::array<Themed, 4> kThemed = {{{"#1d2126", "var(--ink)"},
                                                   {"#5c636b", "var(--muted)"},
                                                   {"#d7dbdf", "var(--grid)"},
                                                   {"#ffffff", "var(--paper)"}}};

extern const char* const kStyle;

}  // namespace spillway::page
