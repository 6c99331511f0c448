package formattest_test
import ("testing";"os";"context";"github.com/sinewsec/sinew/formats";"github.com/sinewsec/sinew/internal/format";"github.com/sinewsec/sinew/internal/sinew")
func BenchmarkBig(b *testing.B){
 e,_:=format.New(formats.Files)
 f,err:=os.Open(os.Getenv("BIG")); if err!=nil {b.Skip()}
 st,_:=f.Stat(); n:=0
 b.SetBytes(st.Size())
 for b.Loop(){ if _,err:=e.Parse(context.Background(),format.Input{Name:"x",R:f,Size:st.Size()},format.Options{},func(sinew.SnapshotBody) error{n++;return nil});err!=nil{b.Fatal(err)}}
 b.ReportMetric(float64(n)/b.Elapsed().Seconds(),"f/s")
}
