/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the object in place of a call of bpf_rdonly_cast, see sensor/load/cast.h. */
#ifndef TAMIS_CAST_H
#define TAMIS_CAST_H

#define CAST_CALL 0x54534143 /* "CAST": no helper will ever have this number */

#endif
