package formats_test
import ("testing";"os";"context"
"github.com/sinewsec/sinew/formats"
"github.com/sinewsec/sinew/internal/format"
"github.com/sinewsec/sinew/internal/sinew")
func TestProfZZ(t *testing.T){
 e,err:=format.New(formats.Files); if err!=nil{t.Fatal(err)}
 f,_:=os.Open("/tmp/r10k.sarif"); st,_:=f.Stat()
 n:=0
 _,err=e.Parse(context.Background(), format.Input{Name:"r",R:f,Size:st.Size()}, format.Options{}, func(b sinew.SnapshotBody) error {n++; return nil})
 t.Log(n,err)
}
