# shellcheck shell=bash
# What a build needs, and how it is made. To be sourced after common.sh.

# Debian 12 packages: the compiler, Meson, and each library the README names.
build_packages=(g++ meson ninja-build pkg-config libcurl4-openssl-dev libssl-dev libxxhash-dev libspdlog-dev libfmt-dev
  nlohmann-json3-dev libpugixml-dev libcli11-dev ca-certificates)

# What is shipped. A folder of src/ is compiled at once, which takes less than half the time.
# shellcheck disable=SC2034  # for the scripts that source this
release_options=(-Dbuildtype=release -Dunity=on -Dtests=false)

# build FOLDER [MESON-ARGUMENT...]: configures the folder once and builds it.
build() {
  local folder=$1
  shift
  # Settings of a caller's shell would make two machines build two programs. Where there is ccache, another checkout's work counts.
  local -a clean=(env -u CFLAGS -u CXXFLAGS -u CPPFLAGS -u LDFLAGS CCACHE_NOHASHDIR=1)
  # A folder that was set up in another way is made anew.
  if [ ! -f "$folder/build.ninja" ] || [ "$(cat "$folder/.arguments" 2>/dev/null)" != "${CXX:-} $*" ]; then
    rm -rf "$folder"
    "${clean[@]}" meson setup "$folder" "$@" >"$folder.setup.log" 2>&1 || {
      tail -n 30 "$folder.setup.log" >&2
      rm -rf "$folder" "$folder.setup.log"
      return 1
    }
    rm -f "$folder.setup.log"
    printf '%s\n' "${CXX:-} $*" >"$folder/.arguments"
  fi
  "${clean[@]}" ninja -C "$folder" >"$folder/build.log" 2>&1 || {
    grep -aE -A12 'error|FAILED' "$folder/build.log" | head -n 60 >&2
    return 1
  }
}
