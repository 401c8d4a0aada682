# The modes side by side: IOPS and mean latency, predicted and measured, with the error in per cent.
# Run by 'vfscope plot modes', which sets dir, terminal and output.
load dir.'/definitions.gp'
set multiplot layout panels, 2 \
	title 'I/O modes under '.workload.', model '.model."\nabove the bars: error of the prediction" \
	margins 0.09, 0.98, 0.14 / (panels + 0.4), 1 - 0.36 / (panels + 0.4) spacing 0.11, 0.32 / (panels + 0.4)
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 border rgb '#404040'
set grid ytics lc rgb '#d8d8d8'
set border 3
set tics nomirror
set key top right horizontal samplen 2 font ',9'
set xrange [-0.6:modes - 0.4]
do for [p = 1:panels] {
	file = dir.sprintf('/modes-%d.dat', p)
	load dir.sprintf('/modes-%d.gp', p)
	do for [c = 0:1] {
		set title titles[p].(c ? ': mean latency' : ': IOPS') offset 0,-0.5
		set format y (c ? '%g' : '%.1s%c')
		set ylabel (c ? 'us' : 'ops per second')
		set yrange [0:ends[c + 1]]
		if (measured) {
			plot file using (column(2 + 3 * c)):xtic(1) lc rgb '#1f77b4' title 'predicted', \
				'' using (column(3 + 3 * c)) lc rgb '#e6842a' title 'measured', \
				'' using 0:(valid(3 + 3 * c) && column(3 + 3 * c) > column(2 + 3 * c) ? column(3 + 3 * c) : column(2 + 3 * c)):(stringcolumn(4 + 3 * c)) \
					with labels offset 0,0.6 font ',9' notitle
		} else {
			plot file using (column(2 + 3 * c)):xtic(1) lc rgb '#1f77b4' title 'predicted'
		}
	}
}
unset multiplot
