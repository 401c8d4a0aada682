# Where a request's time goes: mean of each stage, stacked, per opcode.
# Run by 'vfscope plot stages', which sets dir, terminal and output.
load dir.'/definitions.gp'
set title "Mean request latency by stage\n".subtitle
set ylabel 'mean time per request (us)'
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 border rgb '#404040'
set boxwidth 0.6
set key outside right top reverse Left invert title 'stage'
set grid ytics lc rgb '#d0d0d0'
set xtics nomirror noenhanced
set ytics nomirror
set border 3
set xrange [-0.7:bars - 0.3]
set yrange [0:*]
set offsets 0, 0, graph 0.08, 0
set bmargin 3
array colours[9] = ['#9e9e9e', '#6d4c41', '#e6842a', '#fdd835', '#1f77b4', '#c2185b', '#7b52ab', '#2e9e5b', '#ffffff']
plot for [i = 1:nr_stages + 1] dir.'/stages.dat' using (column(i + 1)):xtic(1) \
		lc rgb colours[i] title names[i], \
	'' using 0:(column(nr_stages + 4)):(sprintf('n=%d', column(nr_stages + 3))) \
		with labels offset 0,0.7 font ',9' notitle
