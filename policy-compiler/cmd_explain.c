/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/cli.h"

int cmd_explain(int argc, char **argv)
{
	return cli_fail("explain is not there yet");
}
