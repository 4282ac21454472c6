/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdio.h>

/* Put a string of JSON, quoted and escaped (RFC 8259); bytes beyond ASCII pass as they are. */
void json_string(FILE *to, const char *text);
