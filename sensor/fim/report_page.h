/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_REPORT_PAGE_H
#define TAMIS_SENSOR_FIM_REPORT_PAGE_H

/* The fixed parts of the report: text alone, nothing in them comes from the host. */

#define REPORT_HEAD                                                                                                    \
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"                                      \
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "       \
	"script-src 'unsafe-inline'\">\n"                                                                              \
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"                                   \
	"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n"

/* clang-format off */
#define REPORT_STYLE \
	"<style>\n" \
	":root{--bg:#f6f7f9;--card:#fff;--text:#1b1f24;--dim:#5c6670;--line:#dfe3e8;--accent:#2457c5;--code:#f1f3f6;" \
	"--add:#e2f4e6;--addt:#125c26;--del:#fde8e8;--delt:#8f1d1d;--hunk:#e8eefb;" \
	"--s1:#8a939d;--s2:#2c7fb8;--s3:#c98a00;--s4:#d9541e;--s5:#b3123c}\n" \
	"@media(prefers-color-scheme:dark){:root{--bg:#12151a;--card:#1a1f26;--text:#e4e8ed;--dim:#98a3af;--line:#2c343e;" \
	"--accent:#86abff;--code:#141920;--add:#12301c;--addt:#93dba6;--del:#3a1a1c;--delt:#f3a6a6;--hunk:#1c2740;" \
	"--s1:#7d8894;--s2:#4aa3df;--s3:#e0ab35;--s4:#f07a45;--s5:#f0587f}}\n" \
	"*{box-sizing:border-box}\n" \
	"body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto," \
	"'DejaVu Sans',sans-serif}\n" \
	"main{max-width:1100px;margin:0 auto;padding:28px 20px 60px}\n" \
	"h1{font-size:26px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}\n" \
	"h2{font-size:17px;margin:34px 0 12px}\n" \
	".dim{color:var(--dim)}code,pre,.path{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,monospace;font-size:13px}\n" \
	".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:22px 0}\n" \
	".card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}\n" \
	".card b{display:block;font-size:26px;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}\n" \
	".banner{border-radius:10px;padding:12px 16px;margin:18px 0;border:1px solid var(--line);background:var(--card);" \
	"border-left:5px solid var(--s2)}\n" \
	".banner.bad{border-left-color:var(--s5)}.banner.good{border-left-color:#2e9e53}\n" \
	".bar{display:flex;height:14px;border-radius:7px;overflow:hidden;background:var(--line)}\n" \
	".bar i{display:block;height:100%}\n" \
	".f1{background:var(--s1)}.f2{background:var(--s2)}.f3{background:var(--s3)}.f4{background:var(--s4)}" \
	".f5{background:var(--s5)}\n" \
	".legend{display:flex;flex-wrap:wrap;gap:6px 18px;margin-top:10px}\n" \
	".legend span:before{content:'';display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px;" \
	"background:currentColor}\n" \
	".c1{color:var(--s1)}.c2{color:var(--s2)}.c3{color:var(--s3)}.c4{color:var(--s4)}.c5{color:var(--s5)}\n" \
	".legend span em{font-style:normal;color:var(--text)}\n" \
	"table{border-collapse:collapse;width:100%}\n" \
	".dirs td{padding:5px 10px 5px 0;vertical-align:middle}.dirs td:nth-child(2){text-align:right;width:70px;" \
	"font-variant-numeric:tabular-nums}.dirs td:nth-child(3){width:45%}\n" \
	".tools{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:10px;align-items:center;background:var(--bg);" \
	"padding:10px 0}\n" \
	"input[type=search]{flex:1 1 260px;font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);" \
	"border-radius:8px;padding:8px 12px}\n" \
	"input[type=search]:focus,button:focus-visible,summary:focus-visible{outline:2px solid var(--accent);" \
	"outline-offset:1px}\n" \
	"button{font:inherit;font-size:13px;color:var(--text);background:var(--card);border:1px solid var(--line);" \
	"border-radius:999px;padding:5px 12px;cursor:pointer}\n" \
	"button[aria-pressed=false]{opacity:.45;text-decoration:line-through}\n" \
	"details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:8px 0;overflow:hidden}\n" \
	"summary{display:grid;grid-template-columns:82px 76px 1fr auto;gap:2px 10px;align-items:baseline;padding:10px 14px;" \
	"cursor:pointer;list-style:none}\n" \
	"summary::-webkit-details-marker{display:none}\n" \
	".sev{font-size:12px;font-weight:650;text-transform:uppercase;letter-spacing:.04em}\n" \
	".path{overflow-wrap:anywhere}\n" \
	".what{font-size:12px;color:var(--dim);text-align:right}\n" \
	".by{font-size:12px;color:var(--dim)}summary .by{grid-column:3/-1;overflow-wrap:anywhere}summary .by:empty{display:none}\n" \
	"h3{font-size:13px;margin:14px 0 2px}h3+p{margin:0 0 6px;font-size:12px}\n" \
	"table.by th{text-align:left;font-weight:500;padding:3px 12px 3px 0}table.by td{color:var(--text);padding:3px 12px 3px 0;" \
	"vertical-align:top;overflow-wrap:anywhere;min-width:50px}table.by td:nth-child(4){width:48%}table.by .when{white-space:nowrap}\n" \
	".body{border-top:1px solid var(--line);padding:12px 14px 14px}\n" \
	".attrs th{font-weight:500;color:var(--dim);text-align:left;width:120px;padding:3px 12px 3px 0;vertical-align:top}\n" \
	".attrs td{padding:3px 12px 3px 0;vertical-align:top;overflow-wrap:anywhere;font-family:ui-monospace," \
	"'DejaVu Sans Mono',Menlo,monospace;font-size:12.5px;width:42%}\n" \
	".attrs thead th{font-size:12px;padding-bottom:5px}\n" \
	"pre{background:var(--code);border:1px solid var(--line);border-radius:8px;padding:8px 0;margin:12px 0 0;" \
	"overflow-x:auto;line-height:1.45}\n" \
	"pre span{display:block;padding:0 12px;white-space:pre-wrap;overflow-wrap:anywhere}\n" \
	".a{background:var(--add);color:var(--addt)}.d{background:var(--del);color:var(--delt)}.h{background:var(--hunk);" \
	"color:var(--dim)}\n" \
	"footer{margin-top:40px;font-size:13px;color:var(--dim);border-top:1px solid var(--line);padding-top:14px;" \
	"overflow-wrap:anywhere}\n" \
	"@media(max-width:700px){summary{grid-template-columns:auto auto 1fr}.path{grid-column:1/-1;order:5}.what{order:6;" \
	"grid-column:1/-1;text-align:left}.dirs td:nth-child(3){display:none}}\n" \
	"@media print{:root{--bg:#fff;--card:#fff;--text:#000;--dim:#444;--line:#bbb;--code:#fff;--add:#eef8f0;--addt:#0a3d18;" \
	"--del:#fdf0f0;--delt:#6d1010;--hunk:#f2f2f2;--s1:#666;--s2:#1f6391;--s3:#8a5f00;--s4:#a63d12;--s5:#8c0d2e}" \
	"body{font-size:11px}main{max-width:none;padding:0}.tools{display:none}.card{padding:8px 10px}.card b{font-size:18px}" \
	"details{border-radius:4px}summary,tr,pre span{break-inside:avoid}summary,h3,thead{break-after:avoid}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n" \
	"</style>\n"

#define REPORT_SCRIPT \
	"<script>\n" \
	"(function(){var q=document.getElementById('q'),shown=document.getElementById('shown'),\n" \
	"items=[].slice.call(document.querySelectorAll('details')),\n" \
	"buttons=[].slice.call(document.querySelectorAll('button[data-key]')),off={};\n" \
	"items.forEach(function(d){d.text=[].map.call(d.querySelectorAll('summary,.by'),\n" \
	"function(x){return x.textContent}).join(' ').toLowerCase()});\n" \
	"function update(){var words=q.value.toLowerCase().split(/\\s+/).filter(Boolean),n=0;\n" \
	"items.forEach(function(d){var ok=!off[d.dataset.sev]&&!off[d.dataset.kind]&&\n" \
	"words.every(function(w){return d.text.indexOf(w)>=0});d.hidden=!ok;n+=ok});\n" \
	"shown.textContent=n+' shown'}\n" \
	"buttons.forEach(function(b){b.addEventListener('click',function(){var k=b.dataset.key;off[k]=!off[k];\n" \
	"b.setAttribute('aria-pressed',String(!off[k]));update()})});\n" \
	"document.getElementById('open').addEventListener('click',function(){var any=items.some(function(d){\n" \
	"return !d.hidden&&!d.open});items.forEach(function(d){if(!d.hidden)d.open=any})});\n" \
	"q.addEventListener('input',update);\n" \
	"window.addEventListener('beforeprint',function(){items.forEach(function(d){d.was=d.open;d.open=true})});\n" \
	"window.addEventListener('afterprint',function(){items.forEach(function(d){d.open=d.was})});\n" \
	"update()})();\n" \
	"</script>\n"
/* clang-format on */

#endif
