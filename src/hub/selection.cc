// SPDX-License-Identifier: MIT
#include "hub/selection.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::hub {
namespace {

// What `--preset vllm` leaves out. The first group are the predecessor's known defaults (it drops
// code, README.md and LICENSE); its exact list is not on public record. The second are weights in
// formats that vLLM's loaders never open (TensorFlow, Flax, rust-bert, ONNX, TFLite, Core ML,
// OpenVINO) and Meta's checkpoints in `original/`, the default of vLLM's own --ignore-patterns
// (read 2026-10). Kept on purpose: *.safetensors, *.bin, *.pt and *.gguf, which vLLM reads.
constexpr std::array<std::string_view, 17> vllm_ignores = {
    "*.py",        "README.md",        "LICENSE",    "*.h5",          "*.msgpack",    "*.ot",     "*.onnx",
    "*.onnx_data", "*.tflite",         "*.mlmodel",  "*.mlpackage/*", "*.mlmodelc/*", "coreml/*", "onnx/*",
    "openvino/*",  "openvino_model.*", "original/*",
};

/// Code points of a UTF-8 text. A byte that is not UTF-8 stands for itself as 0xDC00 + byte, as
/// Python reads file names.
std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> points;
  points.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (lead < 0x80) {
      points.push_back(lead);
    } else if (is_utf8(text.substr(i, length))) {
      char32_t point = lead & (0x7fU >> length);
      for (std::size_t k = 1; k < length; ++k) {
        point = point << 6U | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
      }
      points.push_back(point);
      i += length;
      continue;
    } else {
      points.push_back(0xdc00U + lead);
    }
    ++i;
  }
  return points;
}

std::string with_slashes(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '\\', '/');
  return out;
}

std::vector<std::string> normalised(const std::vector<std::string>& patterns) {
  std::vector<std::string> texts;
  for (const std::string& pattern : patterns) {
    texts.push_back(with_slashes(pattern));
    if (texts.back().ends_with('/')) texts.back() += '*';
  }
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

std::string quoted_list(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) {
    if (out.size() > 1) out += ", ";
    out += json_quote(text);
  }
  return out + "]";
}

/// Index of the `]` that closes the set whose `[` stands before `begin`, if one does.
std::optional<std::size_t> closing_bracket(const std::vector<char32_t>& text, std::size_t begin) {
  std::size_t i = begin;
  if (i < text.size() && text[i] == U'!') ++i;
  if (i < text.size() && text[i] == U']') ++i;
  while (i < text.size() && text[i] != U']') ++i;
  return i < text.size() ? std::optional(i) : std::nullopt;
}

using Chunk = std::vector<char32_t>;

/// Cuts the inside of a set at the hyphens that make ranges: `a-cx-z` becomes `a`, `cx`, `z`.
std::vector<Chunk> cut_at_ranges(const std::vector<char32_t>& body) {
  std::vector<Chunk> chunks;
  const auto at = [&body](std::size_t i) { return body.begin() + static_cast<std::ptrdiff_t>(i); };
  std::size_t begin = 0;
  std::size_t from = !body.empty() && body[0] == U'!' ? 2 : 1;
  while (from < body.size()) {
    const auto hyphen = static_cast<std::size_t>(std::find(at(from), body.end(), U'-') - body.begin());
    if (hyphen == body.size()) break;
    chunks.emplace_back(at(begin), at(hyphen));
    begin = hyphen + 1;
    from = hyphen + 3;
  }
  if (begin < body.size() || chunks.empty()) {
    chunks.emplace_back(at(begin), body.end());
  } else {
    chunks.back().push_back(U'-');
  }
  // A range that runs backwards holds nothing: both of its ends go.
  for (std::size_t k = chunks.size() - 1; k > 0; --k) {
    if (chunks[k - 1].back() <= chunks[k].front()) continue;
    chunks[k - 1].pop_back();
    chunks[k - 1].insert(chunks[k - 1].end(), chunks[k].begin() + 1, chunks[k].end());
    chunks.erase(chunks.begin() + static_cast<std::ptrdiff_t>(k));
  }
  return chunks;
}

}  // namespace

Pattern::Pattern(std::string_view text) {
  const std::vector<char32_t> points = code_points(text);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const char32_t point = points[i];
    if (point == U'*') {
      const bool again = !pieces_.empty() && pieces_.back().what == What::many;
      if (!again) pieces_.push_back(Piece{What::many, 0, false, {}});
    } else if (point == U'?') {
      pieces_.push_back(Piece{What::any, 0, false, {}});
    } else if (const auto close = point == U'[' ? closing_bracket(points, i + 1) : std::nullopt) {
      const auto from = points.begin() + static_cast<std::ptrdiff_t>(i + 1);
      const auto to = points.begin() + static_cast<std::ptrdiff_t>(*close);
      pieces_.push_back(make_set(std::vector<char32_t>(from, to)));
      i = *close;
    } else {
      pieces_.push_back(Piece{What::one, point, false, {}});
    }
  }
}

Pattern::Piece Pattern::make_set(const std::vector<char32_t>& body) {
  std::vector<Chunk> chunks = cut_at_ranges(body);
  Piece piece{What::set, 0, false, {}};
  if (!chunks.front().empty() && chunks.front().front() == U'!') {
    piece.negated = true;
    chunks.front().erase(chunks.front().begin());
  }
  for (std::size_t k = 0; k < chunks.size(); ++k) {
    for (const char32_t point : chunks[k]) piece.spans.push_back(Span{point, point});
    if (k > 0 && !chunks[k - 1].empty()) {
      piece.spans.push_back(Span{chunks[k - 1].back(), chunks[k].front()});
    }
  }
  return piece;
}

bool Pattern::takes(const Piece& piece, char32_t point) {
  if (piece.what == What::any) return true;
  if (piece.what == What::one) return piece.point == point;
  const bool inside = std::any_of(piece.spans.begin(), piece.spans.end(),
                                  [point](const Span& span) { return span.first <= point && point <= span.last; });
  return inside != piece.negated;
}

bool Pattern::matches(const std::vector<char32_t>& text) const {
  std::size_t piece = 0;
  std::size_t at = 0;
  std::optional<std::size_t> star;  // the last `*`; an earlier one never needs to give back more
  std::size_t star_at = 0;
  while (at < text.size()) {
    if (piece < pieces_.size() && pieces_[piece].what == What::many) {
      star = piece++;
      star_at = at;
    } else if (piece < pieces_.size() && takes(pieces_[piece], text[at])) {
      ++piece;
      ++at;
    } else if (star) {
      piece = *star + 1;
      at = ++star_at;
    } else {
      return false;
    }
  }
  while (piece < pieces_.size() && pieces_[piece].what == What::many) ++piece;
  return piece == pieces_.size();
}

Selection::Selection(std::optional<std::vector<std::string>> allow, std::vector<std::string> ignore)
    : allow_all_(!allow.has_value()), ignore_texts_(normalised(ignore)) {
  if (allow) allow_texts_ = normalised(*allow);
  for (const std::string& text : allow_texts_) allow_.emplace_back(text);
  for (const std::string& text : ignore_texts_) ignore_.emplace_back(text);
}

Selection Selection::exactly(std::string path) {
  Selection selection;
  selection.only_ = std::move(path);
  return selection;
}

Result<Selection> Selection::preset(std::string_view name) {
  if (name != "vllm") {
    return Error(Kind::usage, fmt::format("'{}' is not a preset: there is only 'vllm'", printable(name, 80)));
  }
  return Selection(std::nullopt, std::vector<std::string>(vllm_ignores.begin(), vllm_ignores.end()));
}

bool Selection::keeps(std::string_view path) const {
  if (only_) return path == *only_;
  const std::vector<char32_t> points = code_points(with_slashes(path));
  const auto hit = [&points](const Pattern& pattern) { return pattern.matches(points); };
  if (!allow_all_ && std::none_of(allow_.begin(), allow_.end(), hit)) return false;
  return std::none_of(ignore_.begin(), ignore_.end(), hit);
}

std::string Selection::describe() const {
  if (only_) return "the file " + json_quote(*only_);
  std::string line = allow_all_ ? "everything" : "only " + quoted_list(allow_texts_);
  if (!ignore_texts_.empty()) line += " except " + quoted_list(ignore_texts_);
  return line;
}

}  // namespace hfpour::hub
