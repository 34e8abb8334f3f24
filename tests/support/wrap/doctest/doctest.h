// SPDX-License-Identifier: MIT
#pragma once

// The wrapped doctest has its header one folder higher than the distributions have it.
#include <doctest.h>
