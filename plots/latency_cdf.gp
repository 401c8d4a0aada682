# Latency of fio's ops: share at or below, predicted (solid) and measured (dashed), per mode.
# Run by 'vfscope plot cdf', which sets dir, terminal and output.
load dir.'/definitions.gp'
array colours[4] = ['#1f77b4', '#e6842a', '#2e9e5b', '#c2185b']
rows = (panels + 1) / 2
set multiplot layout rows, panels > 1 ? 2 : 1 \
	title 'Op latency of '.workload.', model '.model."\nsolid: predicted, dashed: measured" \
	margins 0.07, 0.97, 0.30 / (rows + 0.3), 1 - 0.33 / (rows + 0.3) spacing 0.09, 0.36 / (rows + 0.3)
set logscale x
set format x '%g'
set yrange [0:1.02]
set grid lc rgb '#d8d8d8'
set border 3
set tics nomirror
# One key for all panels, under them: no corner of a panel is free in every mode.
set key at screen 0.5, screen 0.012 center bottom horizontal maxrows 1 samplen 3
set xlabel 'latency (us)' offset 0,0.5
do for [p = 1:panels] {
	set ylabel (p % 2 ? 'share of ops at or below' : '')
	set title titles[p] offset 0,-0.5
	set xrange [low[p]:high[p]]
	if (p == 2) { unset key }
	plot for [m = 1:modes] dir.sprintf('/cdf-%d-%d-0.dat', p, m) with lines lw 2 \
			lc rgb colours[m] title mode_names[m], \
		for [m = 1:modes] dir.sprintf('/cdf-%d-%d-1.dat', p, m) with lines lw 1.5 dt 2 \
			lc rgb colours[m] notitle
}
unset multiplot
