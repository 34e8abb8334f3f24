// SPDX-License-Identifier: MIT
#include "hub/repo_ref.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/log.h"
#include "base/text.h"

namespace hfpour::hub {
namespace {

constexpr std::string_view scheme = "hf://";
constexpr std::size_t max_name_length = 96;       // huggingface_hub _validators.py (2026-08)
constexpr std::size_t max_revision_length = 255;  // a file name's limit; git keeps refs as files

struct TypeName {
  std::string_view plural;
  std::string_view singular;
  RepoRef::Type type;
};

constexpr std::array<TypeName, 3> type_names = {{
    {"models", "model", RepoRef::Type::model},
    {"datasets", "dataset", RepoRef::Type::dataset},
    {"spaces", "space", RepoRef::Type::space},
}};

const TypeName& name_of(RepoRef::Type type) {
  for (const TypeName& name : type_names) {
    if (name.type == type) return name;
  }
  return type_names.front();
}

Error refuse(std::string_view what, std::string_view value, std::string_view rule) {
  // The address of a clone (`https://user:token@…`) ends up here by mistake, and must not end up in a log.
  const bool foreign = value.find("://") != std::string_view::npos && !value.starts_with("hf://");
  const std::string shown = foreign ? redact(value) : std::string(value);
  return Error(Kind::usage, fmt::format("'{}' is not a {}: {}", printable(shown, 200), what, rule));
}

bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_name_char(char c) {
  return is_word(c) || c == '.' || c == '-';
}

/// The rule a half of an id breaks, or nothing.
std::optional<std::string_view> broken_rule(std::string_view part) {
  if (part.empty()) return "owner and name must not be empty";
  if (!std::all_of(part.begin(), part.end(), is_name_char)) {
    return "only letters, digits, '-', '_' and '.' are allowed, with one '/' between owner and "
           "name";
  }
  if (part.size() > max_name_length) return "owner and name have at most 96 characters each";
  if (!is_word(part.front()) || !is_word(part.back())) {
    return "owner and name must not begin or end with '-' or '.'";
  }
  if (part.find("--") != std::string_view::npos || part.find("..") != std::string_view::npos) {
    return "'--' and '..' are not allowed";
  }
  return std::nullopt;
}

/// Length of `refs/pr/N` or `refs/convert/NAME` at the front, up to `/` or the end; 0 if neither.
std::size_t special_ref_length(std::string_view text) {
  const auto span = [text](std::string_view prefix, auto allowed) -> std::size_t {
    if (!text.starts_with(prefix)) return 0;
    std::size_t end = prefix.size();
    while (end < text.size() && allowed(text[end])) ++end;
    const bool whole = end > prefix.size() && (end == text.size() || text[end] == '/');
    return whole ? end : 0;
  };
  const std::size_t pull = span("refs/pr/", [](char c) { return c >= '0' && c <= '9'; });
  return pull != 0 ? pull : span("refs/convert/", is_name_char);
}

/// Takes `datasets/` and the like off the front of `rest`.
Result<RepoRef::Type> take_type(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view first = rest.substr(0, slash);
  for (const TypeName& name : type_names) {
    if (first == name.singular && slash != std::string_view::npos) {
      return refuse("repository address", rest, fmt::format("write '{}/'", name.plural));
    }
    if (first != name.plural) continue;
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
    return name.type;
  }
  if (slash != std::string_view::npos && (first == "buckets" || first == "kernels")) {
    return refuse("repository address", rest, "only models, datasets and spaces can be poured");
  }
  return RepoRef::Type::model;
}

Result<void> check_path(std::string_view path, std::string_view whole) {
  if (path.empty()) return {};
  std::string_view rest = path;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") {
      return refuse("repository address", whole, "its path has an empty, '.' or '..' part");
    }
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(path.begin(), path.end(), control) || !is_utf8(path)) {
    return refuse("repository address", whole, "its path has a control character or is not UTF-8");
  }
  return {};
}

struct Parts {
  std::string_view id;
  std::optional<std::string_view> after_mark;  ///< revision and path
  std::string_view path;                       ///< when there is no revision
};

/// Cuts at the `@` or `:` that follows the id; one deeper in the path is part of a file name.
Parts cut(std::string_view rest) {
  const std::size_t mark = rest.find_first_of("@:");
  const std::string_view front = rest.substr(0, mark);
  if (mark != std::string_view::npos && std::count(front.begin(), front.end(), '/') <= 1) {
    return Parts{front, rest.substr(mark + 1), {}};
  }
  const std::size_t slash = rest.find('/');
  const std::size_t second = slash == std::string_view::npos ? slash : rest.find('/', slash + 1);
  if (second == std::string_view::npos) return Parts{rest, std::nullopt, {}};
  return Parts{rest.substr(0, second), std::nullopt, rest.substr(second + 1)};
}

}  // namespace

Result<void> check_repo_id(std::string_view id) {
  const std::size_t slash = id.find('/');
  const std::string_view name = slash == std::string_view::npos ? id : id.substr(slash + 1);
  std::optional<std::string_view> broken = broken_rule(name);
  if (!broken && slash != std::string_view::npos) broken = broken_rule(id.substr(0, slash));
  if (!broken && id.ends_with(".git")) broken = "it must not end with '.git'";
  if (broken) return refuse("repository id", id, *broken);
  return {};
}

Result<void> check_revision(std::string_view revision) {
  const auto refuse_by = [revision](std::string_view rule) { return refuse("revision", revision, rule); };
  if (revision.empty()) return refuse_by("it must not be empty");
  if (revision.size() > max_revision_length) return refuse_by("it has at most 255 bytes");
  if (revision.front() == '-' || revision.front() == '/' || revision.back() == '/') {
    return refuse_by("it must not begin with '-' or '/' nor end with '/'");
  }
  for (const char c : revision) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return refuse_by("control characters are not allowed");
    if (std::string_view(" ~^:?*[\\").find(c) != std::string_view::npos) {
      return refuse_by("blanks and ~ ^ : ? * [ \\ are not allowed");
    }
  }
  if (revision.find("..") != std::string_view::npos) return refuse_by("'..' is not allowed");
  if (!is_utf8(revision)) return refuse_by("it must be UTF-8");
  return {};
}

Result<RepoRef> parse_repo_ref(std::string_view text) {
  std::string_view rest = text;
  RepoRef ref;
  const bool is_address = rest.starts_with(scheme);
  if (!is_address && text.find("://") != std::string_view::npos) {
    return refuse("repository", text, "write hf://owner/name");
  }
  if (is_address) {
    rest.remove_prefix(scheme.size());
    const Result<RepoRef::Type> type = take_type(rest);
    if (!type) return type.error();
    ref.type = *type;
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  const Parts parts = cut(rest);
  std::string_view path = parts.path;
  if (parts.after_mark) {
    const std::string_view tail = *parts.after_mark;
    const std::size_t special = special_ref_length(tail);
    const std::size_t end = std::min(special != 0 ? special : tail.find('/'), tail.size());
    ref.revision = percent_decode(tail.substr(0, end));
    ref.revision_given = true;
    path = end < tail.size() ? tail.substr(end + 1) : std::string_view();
    if (const Result<void> good = check_revision(ref.revision); !good) return good.error();
    if (end + 1 == tail.size()) return refuse("repository address", text, "its path is empty");
  }
  ref.id = parts.id;
  if (const Result<void> good = check_repo_id(ref.id); !good) return good.error();
  if (!is_address && !path.empty()) {
    return refuse("repository id", text, "it has the form owner/name; for more write hf://…");
  }
  if (const Result<void> good = check_path(path, text); !good) return good.error();
  ref.path = path;
  return ref;
}

bool is_commit(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string_view to_string(RepoRef::Type type) {
  return name_of(type).singular;
}

std::string to_string(const RepoRef& ref) {
  const bool is_model = ref.type == RepoRef::Type::model;
  return fmt::format("{}{}{}@{}", is_model ? "" : name_of(ref.type).plural, is_model ? "" : "/", ref.id, ref.revision);
}

std::string api_path(const RepoRef& ref) {
  return fmt::format("/api/{}/{}", name_of(ref.type).plural, ref.id);
}

std::string info_path(const RepoRef& ref) {
  if (!ref.revision_given) return api_path(ref);
  return api_path(ref) + "/revision/" + percent_encode(ref.revision, false);
}

std::string tree_path(const RepoRef& ref, std::string_view commit) {
  return api_path(ref) + "/tree/" + percent_encode(commit, false) + "?recursive=true&expand=false";
}

std::string resolve_path(const RepoRef& ref, std::string_view commit, std::string_view path) {
  const bool is_model = ref.type == RepoRef::Type::model;
  return fmt::format("/{}{}{}/resolve/{}/{}", is_model ? "" : name_of(ref.type).plural, is_model ? "" : "/", ref.id,
                     percent_encode(commit, false), percent_encode(path, true));
}

}  // namespace hfpour::hub
